'use client';

import { type UseQueryResult, useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import { type Chart, type SeriesKey, useTRPC } from '../../trpc/client.tsx';
import type { MetricView } from '../chart/metrics.ts';
import type { StepRange } from '../chart/view-params.ts';
import type { XUnit } from '../chart/x-axis.ts';
import { placesOf, stepsWithin } from './align.ts';
import { columnsQuery } from './compare-queries.ts';
import { type Line, lineOf } from './lines.ts';
import type { ComparedRun } from './use-compared.ts';

interface Shown {
  align: XUnit;
  /** In the unit of `align`. */
  range: StepRange;
  /** Kept from one rendering to the next, as `views` is. */
  series: readonly SeriesKey[];
  views: readonly MetricView[];
  halfLife: number | null;
}

const NOTHING: Chart = {
  firstStep: null,
  lastStep: null,
  columnSteps: 1,
  steps: [],
  times: [],
  tokens: [],
  series: {},
};

/**
 * The lines of each view, one for every run. The whole runs are read first: they show which steps of each lie in the
 * range, and stand in for these until they have been read, too.
 */
export function useLines(runs: readonly ComparedRun[], { align, range: { from, to }, series, views, halfLife }: Shown) {
  const whole = useColumns(
    runs,
    series,
    runs.map(() => EVERYTHING),
  );
  const places = useMemo(
    () => runs.map(({ run }, at) => placesOf(whole.charts[at] ?? NOTHING, align, run.startedAt.getTime())),
    [runs, whole.charts, align],
  );
  const isZoomed = from !== undefined || to !== undefined;
  const ranges = places.map((each) => (isZoomed ? stepsWithin(each, { from, to }) : null));
  const part = useColumns(runs, series, ranges);
  const lines = useMemo(() => {
    const columns = runs.map(({ run }, at) => {
      const chart = part.charts[at] ?? whole.charts[at] ?? NOTHING;
      return { chart, places: placesOf(chart, align, run.startedAt.getTime()) };
    });
    return new Map(views.map((view) => [view.metric, linesOf(runs, columns, view, halfLife)]));
  }, [runs, whole.charts, part.charts, align, views, halfLife]);
  return { lines, places, charts: whole.charts, error: whole.error ?? part.error, isReading: whole.isReading };
}

const EVERYTHING: StepRange = {};

function linesOf(
  runs: readonly ComparedRun[],
  columns: readonly Parameters<typeof lineOf>[1][],
  view: MetricView,
  halfLife: number | null,
): Line[] {
  return runs.flatMap(({ id, number, look, run: { name } }, at) => {
    const read = columns[at];
    return read ? [lineOf({ id, name, number, look }, read, view, halfLife)] : [];
  });
}

/** Columns of each run in its own range. */
function useColumns(
  runs: readonly ComparedRun[],
  series: readonly SeriesKey[],
  ranges: readonly (StepRange | null)[],
): ReturnType<typeof combine> {
  const trpc = useTRPC();
  return useQueries({
    queries: runs.map(({ id, run }, at) =>
      columnsQuery(trpc, { run: id, isLive: run.status === 'running' }, ranges[at] ?? null, series),
    ),
    combine,
  });
}

function combine(results: readonly UseQueryResult<Chart, { message: string }>[]) {
  const failed = results.filter(({ data, error }) => error && !data);
  return {
    charts: results.map(({ data }) => data),
    isReading: results.some(({ isLoading }) => isLoading),
    error: failed[0]?.error && {
      message: failed[0].error.message,
      retry: () => {
        for (const { refetch } of failed) void refetch();
      },
    },
  };
}
