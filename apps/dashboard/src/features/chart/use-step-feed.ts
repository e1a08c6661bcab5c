'use client';

import type { StepArray } from '@evenkeel/protocol';
import { keepPreviousData, type Query, type QueryFilters, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useEffectEvent, useState, useSyncExternalStore } from 'react';
import { coalesce } from '../../live/coalesce.ts';
import { live } from '../../live/connection.ts';
import { type RunDetail, type SeriesKey, useTRPC, useTRPCClient } from '../../trpc/client.tsx';
import { readAgain } from '../../trpc/query-client.ts';
import { isCustom } from './chart-columns.ts';
import { ARRAY_COLUMNS, CHART_COLUMNS, nextFrame, type Picture, StepFeed } from './feed.ts';
import type { StepRange } from './view-params.ts';
import type { XUnit } from './x-axis.ts';

const MIN_READ_INTERVAL_MS = 1_000;
/** For what streams in: a run that logs an evaluation after each step may have its charts read again all the time. */
const READ_AGAIN_EVERY_MS = 2_000;

/**
 * The old picture stays until the new one is there. Never fresh, and not read again as the page opens: only what is read
 * after `watch` joins on to what streams in, and that is read then.
 */
const HOW = { placeholderData: keepPreviousData, staleTime: 0, refetchOnMount: false, structuralSharing: false };

/** What a feed reads, and on which axis it is shown. */
interface Shown {
  range: StepRange;
  unit: XUnit;
  series: readonly SeriesKey[];
  /** A step beyond the last that the axis reaches to. */
  ahead?: number;
}

/** A feed that reads the run's steps in a range, and again whenever the live connection cannot vouch for them. */
export function useStepFeed(
  run: RunDetail,
  { range: { from, to }, unit, series, ahead = Number.NEGATIVE_INFINITY }: Shown,
) {
  const trpc = useTRPC();
  const client = useTRPCClient();
  const queries = useQueryClient();
  const request = { run: run.id, from, to, columns: CHART_COLUMNS, series: [...series] };
  const options = trpc.step.chart.queryOptions(request, HOW);
  const [feed] = useState(() => {
    const created = new StepFeed({
      attempt: newestAttempt(run),
      schedule: nextFrame,
      startedAt: run.startedAt.getTime(),
    });
    // What is at hand is drawn at once, on the server too, where no effect runs.
    created.show({ from, to }, unit);
    created.lookAhead(ahead);
    const known = queries.getQueryData(options.queryKey);
    if (known) created.load(known);
    return created;
  });
  const chart = useQuery({
    ...options,
    queryFn: () => {
      feed.asked();
      return client.step.chart.query(request);
    },
  });

  const isAsked = useEffectEvent((keys: readonly SeriesKey[]) => keys.some((key) => series.includes(key)));
  useEffect(() => feed.show({ from, to }, unit), [feed, from, to, unit]);
  useEffect(() => feed.lookAhead(ahead), [feed, ahead]);
  useEffect(() => {
    if (chart.data) feed.load(chart.data);
  }, [feed, chart.data]);
  useEffect(() => {
    const timeline = timelineOf(trpc, run.id);
    const readTimeline = coalesce(() => readAgain(queries, timeline), MIN_READ_INTERVAL_MS);
    // What is being read may end: were it begun again with every step that comes meanwhile, it never would.
    const again = () => queries.invalidateQueries(timeline, { cancelRefetch: false });
    feed.readAgain = coalesce(again, READ_AGAIN_EVERY_MS);
    const readNames = coalesce(() => queries.invalidateQueries(trpc.run.customNames.pathFilter()), READ_AGAIN_EVERY_MS);
    feed.foundSeries = (keys) => {
      if (keys.some(isCustom)) readNames();
      if (isAsked(keys)) readTimeline();
    };
    return live.watch(run.id, { steps: (batch) => feed.receive(batch), watching: readTimeline, behind: readTimeline });
  }, [feed, run.id, queries, trpc]);

  const hasTokens = chart.data?.tokens.some((tokens) => tokens !== null) ?? true;
  const known = Object.keys(chart.data?.series ?? {}).join('\n'); // as text, which stays the same
  return { feed, hasTokens, known, error: chart.data ? null : chart.error, retry: chart.refetch };
}

/** Everything that was read of a run's timeline as it stands; what older attempts measured does not change. */
export function timelineOf(trpc: ReturnType<typeof useTRPC>, run: string): QueryFilters {
  const isOfTimeline = ({ queryKey }: Query) => {
    const { input } = (queryKey[1] ?? {}) as { input?: { run?: string; attempt?: number } };
    return input?.run === run && input.attempt === undefined;
  };
  return { ...trpc.step.pathFilter(), predicate: isOfTimeline };
}

/** Has a feed read an array of the run's steps too; false once it is known that the run has none, until one comes. */
export function useStepArray(feed: StepFeed, run: string, { from, to }: StepRange, array: StepArray): boolean {
  const request = { run, from, to, columns: ARRAY_COLUMNS, array };
  const { data } = useQuery(useTRPC().step.array.queryOptions(request, HOW));
  useEffect(() => {
    if (data) feed.loadArray(array, data);
  }, [feed, array, data]);
  const subscribe = useCallback((listener: () => void) => feed.subscribe(listener), [feed]);
  return useSyncExternalStore(
    subscribe,
    () => feed.mayHave(array),
    () => true,
  );
}

function newestAttempt({ attempts }: RunDetail): number {
  return attempts.reduce((newest, { number }) => Math.max(newest, number), 0);
}

/** What is shown as text, at a reader's pace rather than the stream's; null until it was read. */
export function usePictureInWords(feed: StepFeed): Picture | null {
  const [store] = useState(() => {
    let shown: Picture | null = null;
    return {
      read: () => shown,
      subscribe: (listener: () => void) => {
        const update = coalesce(() => {
          shown = feed.picture();
          listener();
        }, 1_000);
        update();
        return feed.subscribe(update);
      },
    };
  });
  return useSyncExternalStore(store.subscribe, store.read, () => null);
}
