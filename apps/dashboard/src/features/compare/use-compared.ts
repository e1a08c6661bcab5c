'use client';

import { type UseQueryResult, useQueries, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef } from 'react';
import { type RunDetail, useTRPC } from '../../trpc/client.tsx';
import { timelineOf } from '../chart/use-step-feed.ts';
import { looksOf, type RunLook } from '../run/run-color.ts';
import { runQuery } from './compare-queries.ts';

export interface ComparedRun {
  id: string;
  /** From 1, in the order of the address. */
  number: number;
  look: RunLook;
  run: RunDetail;
}

/** What could not be read, and why. */
export interface Failed {
  id: string;
  isMissing: boolean;
  message: string;
  retry: () => void;
}

/** A failure as tRPC reports it. */
interface ReadError {
  message: string;
  data?: { code?: string } | null;
}

/** The runs of an address: those that were read, and what became of the others. */
export function useCompared(ids: readonly string[]) {
  const trpc = useTRPC();
  const looks = useMemo(() => looksOf(ids), [ids]);
  const combine = useCallback(
    (results: readonly UseQueryResult<RunDetail, ReadError>[]) => ({
      runs: results.flatMap(({ data: run }, at): ComparedRun[] => {
        const [id, look] = [ids[at], looks[at]];
        return run && id && look ? [{ id, number: at + 1, look, run }] : [];
      }),
      failed: results.flatMap(({ data, error, refetch }, at): Failed[] => {
        const id = ids[at];
        if (data || !error || !id) return [];
        const isMissing = error.data?.code === 'NOT_FOUND';
        return [{ id, isMissing, message: error.message, retry: () => void refetch() }];
      }),
    }),
    [ids, looks],
  );
  const compared = useQueries({ queries: ids.map((id) => runQuery(trpc, id)), combine });
  useLastReading(compared.runs);
  return compared;
}

/** Reads the steps of a run once more when it ends: it is followed only as long as it runs. */
function useLastReading(runs: readonly ComparedRun[]): void {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const running = useRef(new Set<string>());
  useEffect(() => {
    for (const { id, run } of runs) {
      if (run.status === 'running') running.current.add(id);
      else if (running.current.delete(id)) void queries.invalidateQueries(timelineOf(trpc, id));
    }
  }, [runs, trpc, queries]);
}
