'use client';

import { alert } from '@evenkeel/protocol';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useSyncExternalStore } from 'react';
import { coalesce } from '../coalesce.ts';
import { announce } from '../features/shell/announcer.tsx';
import { useTRPC } from '../trpc/client.tsx';
import { LiveBoard, type LiveRun } from './board.ts';
import { live } from './connection.ts';

const board = new LiveBoard();

const liveAlert = alert.pick({ rule: true, severity: true, status: true, step: true });

/** Keeps a page's runs and alerts up to date. Once a page. */
export function useLiveBoard(): void {
  const trpc = useTRPC();
  const queries = useQueryClient();
  useEffect(() => {
    const readRuns = coalesce(() => queries.invalidateQueries(trpc.run.pathFilter()), 1_000);
    const readAlerts = coalesce(() => queries.invalidateQueries(trpc.alert.pathFilter()), 500);
    const stops = [
      live.onBoard((changes) => {
        // A run this tab has not heard of, or one that began or ended: the list may have to show or hide it.
        if (changes.some((change) => board.get(change.run)?.status !== change.status)) readRuns();
        board.apply(changes, Date.now());
      }),
      live.onAlert((message) => {
        readAlerts();
        const opened = liveAlert.safeParse(message).data;
        if (opened?.status === 'open') announce(`${opened.severity}: ${opened.rule} at step ${opened.step}`);
      }),
      live.onConnected(() => {
        readRuns();
        readAlerts();
      }),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, [trpc, queries]);
}

/** What came in about a run since the page opened; undefined until something does. */
export function useLiveRun(run: string): LiveRun | undefined {
  const subscribe = useCallback((listener: () => void) => board.subscribe(run, listener), [run]);
  return useSyncExternalStore(
    subscribe,
    () => board.get(run),
    () => undefined,
  );
}
