'use client';

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { type ForecastPoint, type RunDetail, useTRPC } from '../../trpc/client.tsx';
import { CHART_COLUMNS } from './feed.ts';
import type { Ahead } from './forecast-draw.ts';
import type { StepRange } from './view-params.ts';

export interface ShownForecast {
  points: readonly ForecastPoint[];
  lastStep: number;
  ahead: Ahead | null;
}

/** What was forecast along the steps in view, and what is forecast now of a run that goes on. */
export function useForecast(run: RunDetail, { from, to }: StepRange): ShownForecast {
  const options = useTRPC().step.forecasts.queryOptions(
    { run: run.id, from, to, columns: CHART_COLUMNS },
    { placeholderData: keepPreviousData },
  );
  const read = useQuery(options).data ?? [];
  return { points: withNewest(read, run), lastStep: run.lastStep ?? 0, ahead: aheadOf(run) };
}

/** The run's own risk is updated while it streams; the history of it is read less often. */
export function withNewest(
  read: readonly ForecastPoint[],
  { lastStep, risk, divergenceStep, divergenceInterval }: RunDetail,
): readonly ForecastPoint[] {
  const last = read.at(-1);
  if (risk === null || lastStep === null || last?.risk === risk || lastStep <= (last?.step ?? Number.NEGATIVE_INFINITY))
    return read;
  return [...read, { step: lastStep, risk, divergenceStep, divergenceInterval }];
}

export function aheadOf({ status, lastStep, divergenceStep, divergenceInterval }: RunDetail): Ahead | null {
  if (status !== 'running' || divergenceStep === null || divergenceStep <= (lastStep ?? Number.NEGATIVE_INFINITY))
    return null;
  return { step: divergenceStep, interval: divergenceInterval };
}
