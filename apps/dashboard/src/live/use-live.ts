'use client';

import { alert } from '@evenkeel/protocol';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useEffectEvent, useSyncExternalStore } from 'react';
import { announce } from '../components/announcer.tsx';
import { useTRPC } from '../trpc/client.tsx';
import { LiveBoard, type LiveRun } from './board.ts';
import { coalesce } from './coalesce.ts';
import { live } from './connection.ts';

const board = new LiveBoard();

/** Rows move only when runs are read again: seldom enough that eyes can follow. */
const READ_RUNS_EVERY_MS = 3_000;

const liveAlert = alert.pick({ run: true, rule: true, severity: true, status: true, step: true });

/**
 * Keeps a page's runs and alerts up to date. Once a page.
 * @param nameOf the name of a run that the page shows; the alerts of others are not announced.
 */
export function useLiveBoard(nameOf: (run: string) => string | undefined): void {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const announceAlert = useEffectEvent((message: unknown) => {
    const opened = liveAlert.safeParse(message).data;
    const name = opened?.status === 'open' && nameOf(opened.run);
    if (name) announce(`${name}: ${opened.severity} ${opened.rule} at step ${opened.step}`);
  });
  useEffect(() => {
    const readRuns = coalesce(() => queries.invalidateQueries(trpc.run.pathFilter()), READ_RUNS_EVERY_MS);
    const readAlerts = coalesce(() => queries.invalidateQueries(trpc.alert.pathFilter()), 500);
    const stops = [
      live.onBoard((changes) => {
        if (changes.some((change) => board.isNews(change))) readRuns();
        board.apply(changes, Date.now());
      }),
      live.onAlert((message) => {
        readAlerts();
        announceAlert(message);
      }),
      live.onRun(readRuns),
      live.onRefused(readRuns), // whoever may not read either is sent to sign in
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

/** Whether the page moves with its server. */
export function useConnectionStatus() {
  return useSyncExternalStore(
    live.onStatus,
    () => live.status,
    () => 'idle' as const,
  );
}
