'use client';

import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { coalesce } from '../../coalesce.ts';
import { live } from '../../live/connection.ts';
import { type Chart, type RunDetail, useTRPC } from '../../trpc/client.tsx';
import { CHART_COLUMNS, LAYER_COLUMNS, nextFrame, StepFeed } from './feed.ts';
import type { StepRange } from './view-params.ts';

const READ_AT_MOST_EVERY_MS = 1_000;

/** A feed that reads the run's steps in `range`, and again whenever the live connection cannot vouch for them. */
export function useStepFeed(run: RunDetail, { from, to }: StepRange) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const [feed] = useState(() => new StepFeed({ attempt: newestAttempt(run), schedule: nextFrame }));

  // The old picture stays until the new one is there. Never fresh: only what is read after `watch` joins on to it.
  const how = { placeholderData: keepPreviousData, staleTime: 0, structuralSharing: false };
  const chart = useQuery(trpc.step.chart.queryOptions({ run: run.id, from, to, columns: CHART_COLUMNS }, how));
  const layers = useQuery(trpc.step.layers.queryOptions({ run: run.id, from, to, columns: LAYER_COLUMNS }, how));

  useEffect(() => feed.show({ from, to }), [feed, from, to]);
  useEffect(() => {
    if (chart.data) feed.load(chart.data);
  }, [feed, chart.data]);
  useEffect(() => {
    if (layers.data) feed.loadLayers(layers.data);
  }, [feed, layers.data]);
  useEffect(() => {
    const read = coalesce(() => queries.invalidateQueries(trpc.step.pathFilter()), READ_AT_MOST_EVERY_MS);
    feed.readAgain = read;
    return live.watch(run.id, { steps: (batch) => feed.receive(batch), watching: read, behind: read });
  }, [feed, run.id, queries, trpc]);

  return { feed, error: chart.data ? null : chart.error, retry: chart.refetch };
}

function newestAttempt({ attempts }: RunDetail): number {
  return Math.max(0, ...attempts.map(({ number }) => number));
}

/** The chart for what is told in text, at a reader's pace rather than the stream's; null until it was read. */
export function useChartInWords(feed: StepFeed): Chart | null {
  const [store] = useState(() => {
    let shown: Chart | null = null;
    return {
      read: () => shown,
      subscribe: (listener: () => void) => {
        const update = coalesce(() => {
          shown = feed.picture()?.chart ?? null;
          listener();
        }, 1_000);
        update();
        return feed.subscribe(update);
      },
    };
  });
  return useSyncExternalStore(store.subscribe, store.read, () => null);
}
