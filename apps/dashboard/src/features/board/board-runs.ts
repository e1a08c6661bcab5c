'use client';

import { useQueries, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { type RunSummary, useTRPC } from '../../trpc/client.tsx';
import type { BoardRequest } from '../run/list-request.ts';
import { BoardLayout } from './board-layout.ts';
import { countQuery, groupsQuery, PAGE_RUNS, pageQuery } from './board-queries.ts';

/**
 * The request that the board shows: the newest whose first page has been read, so that what was there stays until then.
 * The layout is undefined until the first of all has been read.
 */
export function useShownRequest(wanted: BoardRequest) {
  const trpc = useTRPC();
  const first = useQuery(pageQuery(trpc, wanted, 0));
  const layout = useLayout(wanted);
  const [shown, setShown] = useState(wanted);
  const ready = first.data !== undefined && layout.data !== undefined;
  if (ready && shown !== wanted) setShown(wanted);
  const retry = () => {
    void first.refetch();
    layout.retry();
  };
  return { shown, layout: useLayout(shown).data, busy: !ready, error: first.error ?? layout.error, retry };
}

function useLayout(request: BoardRequest) {
  const trpc = useTRPC();
  const counted = useQuery(countQuery(trpc, request));
  const grouped = useQuery(groupsQuery(trpc, request));
  const data = useMemo(() => {
    if (!request.group) return counted.data === undefined ? undefined : new BoardLayout(counted.data);
    const runs = grouped.data?.reduce((sum, group) => sum + group.runs, 0);
    return runs === undefined ? undefined : new BoardLayout(runs, grouped.data);
  }, [request.group, counted.data, grouped.data]);
  const { error, refetch } = request.group ? grouped : counted;
  return { data, error, retry: () => void refetch() };
}

/** A run of the list, and when it was read by this machine's clock. */
interface ReadRun {
  run: RunSummary;
  readAt: number;
}

/** The runs with these numbers in the list; a page is read when one of its runs is asked for. */
export function useRuns(request: BoardRequest, numbers: readonly number[]) {
  const trpc = useTRPC();
  const pages = [...new Set(numbers.map((number) => Math.floor(number / PAGE_RUNS)))];
  const results = useQueries({ queries: pages.map((page) => pageQuery(trpc, request, page)) });
  const runAt = (number: number): ReadRun | undefined => {
    const page = results[pages.indexOf(Math.floor(number / PAGE_RUNS))];
    const run = page?.data?.runs[number % PAGE_RUNS];
    return run && page && { run, readAt: page.dataUpdatedAt };
  };
  const failed = results.find(({ error, data }) => error && !data);
  return { runAt, failed };
}
