'use client';

import { type UseQueryResult, useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import { type Chart, type RunDetail, useTRPC } from '../../trpc/client.tsx';
import { METRIC_SERIES } from './metrics.ts';
import { type Superseded, supersededSteps } from './superseded.ts';
import type { StepRange } from './view-params.ts';

/** An older attempt as far as a later one has taken it over. */
export type Ghost = Chart;

const MAX_GHOSTS = 5;
const GHOST_COLUMNS = 200;

/** The newest of the attempts that were rewound, as far as they lie in view. */
export function useGhosts(run: RunDetail, range: StepRange): readonly Ghost[] {
  const trpc = useTRPC();
  const inView = useMemo(
    () =>
      supersededSteps(run.attempts)
        .flatMap((steps) => clipTo(steps, range))
        .slice(0, MAX_GHOSTS),
    [run.attempts, range],
  );
  return useQueries({
    queries: inView.map(({ attempt, from, to }) =>
      trpc.step.chart.queryOptions({
        ...{ run: run.id, attempt, from, to },
        columns: GHOST_COLUMNS,
        series: [...METRIC_SERIES],
      }),
    ),
    combine: chartsOf,
  });
}

/** Kept from one rendering to the next, so that what is read is put together only when it changes. */
function chartsOf(results: readonly UseQueryResult<Chart, unknown>[]): readonly Ghost[] {
  return results.flatMap(({ data }) => data ?? []);
}

function clipTo({ attempt, from, to }: Superseded, range: StepRange): Superseded[] {
  const clipped = { from: Math.max(from, range.from ?? from), to: Math.min(to, range.to ?? to) };
  return clipped.from <= clipped.to ? [{ attempt, ...clipped }] : [];
}
