import { keepPreviousData, skipToken } from '@tanstack/react-query';
import type { Queries, SeriesKey } from '../../trpc/client.tsx';
import { customNamesRequest, type StepRange } from '../chart/view-params.ts';
import { COMPARE_SERIES } from './compare-views.ts';

/** About one for every pixel of a chart, of which two stand side by side; a zoom reads more. */
const COLUMNS = 400;
/** Runs that go on are read again so often. */
const FOLLOW_MS = 5_000;

/** A run that is not there is not asked for again. */
export function runQuery(trpc: Queries, run: string) {
  return trpc.run.get.queryOptions(
    { run },
    { retry: false, refetchInterval: ({ state }) => state.data?.status === 'running' && FOLLOW_MS },
  );
}

interface Asked {
  run: string;
  /** Whether the run goes on. */
  isLive: boolean;
}

/** A run's columns in a range of its steps; with null, nothing is read. */
export function columnsQuery(
  trpc: Queries,
  { run, isLive }: Asked,
  range: StepRange | null,
  series: readonly SeriesKey[] = COMPARE_SERIES,
) {
  const input = range && { run, ...range, columns: COLUMNS, series: [...series] };
  return trpc.step.chart.queryOptions(input ?? skipToken, {
    structuralSharing: false,
    refetchInterval: isLive && FOLLOW_MS,
  });
}

/** The first names of a run's custom scalars, as the address has them. */
export function customNamesQuery(trpc: Queries, { run, isLive }: Asked, scalar: string | null, limit: number) {
  return trpc.run.customNames.queryOptions(customNamesRequest(run, scalar, limit), {
    placeholderData: keepPreviousData,
    refetchInterval: isLive && FOLLOW_MS,
  });
}

/** The min and the max of a run's whole timeline. */
export function extremesQuery(trpc: Queries, { run, isLive }: Asked) {
  const input = { run, columns: 1, series: ['loss', 'tevMean', 'gradVar'] satisfies SeriesKey[] };
  return trpc.step.chart.queryOptions(input, { refetchInterval: isLive && FOLLOW_MS });
}

/** A run's last step alone: what it had seen of tokens by then. */
export function lastStepQuery(trpc: Queries, run: string, lastStep: number | null) {
  const input = lastStep !== null && { run, from: lastStep, to: lastStep, columns: 1, series: ['loss' as const] };
  return trpc.step.chart.queryOptions(input || skipToken, { placeholderData: keepPreviousData });
}
