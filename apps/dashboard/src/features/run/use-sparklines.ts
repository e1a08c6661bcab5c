'use client';

import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { type RunSummary, useTRPC } from '../../trpc/client.tsx';
import { sparklineValues } from './sparkline-path.ts';

const COLUMNS = 48;
/** Rows that are scrolled past are gone before. */
const SETTLED_MS = 200;
/** How long what was read is good enough, at least and at most. */
const [FRESH_MS, STALE_MS] = [2_000, 60_000];

/** Values of the run's loss and TEV so far, for sparklines; empty until they are read. */
export function useSparklines(run: RunSummary): { loss: number[]; tev: number[] } {
  const isSettled = useSettled();
  const options = useTRPC().step.chart.queryOptions(
    { run: run.id, columns: COLUMNS, series: ['loss', 'tevMean'] },
    {
      enabled: isSettled && run.lastStep !== null,
      staleTime: FRESH_MS,
      refetchInterval: run.status === 'running' && columnMs(run),
    },
  );
  const series = useQuery(options).data?.series;
  return { loss: sparklineValues(series?.loss, run.loss), tev: sparklineValues(series?.tevMean, run.tevMean) };
}

/** About the time in which a run goes on by a column. */
function columnMs({ startedAt }: RunSummary): number {
  return Math.min(STALE_MS, Math.max(FRESH_MS, (Date.now() - startedAt.getTime()) / COLUMNS));
}

function useSettled(): boolean {
  const [isSettled, setSettled] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(true), SETTLED_MS);
    return () => clearTimeout(timer);
  }, []);
  return isSettled;
}
