import type { StepArray, StepEvent } from '@evenkeel/protocol';
import type { ArrayChart, Chart, ChartSeries, SeriesKey } from '../../trpc/client.tsx';
import { extentOf } from './axis-range.ts';
import { columnsOf } from './tail.ts';
import type { StepRange } from './view-params.ts';

/** A chart as it was read, with the steps that streamed in since, in columns as wide as the chart's own. */
export function extendChart(chart: Chart, tail: readonly StepEvent[], range: StepRange): Chart {
  const after = chart.lastStep ?? Number.NEGATIVE_INFINITY;
  const columns = columnsOf(tail.filter(isWithin(range)), chart.columnSteps, after);
  const lastStep = Math.max(after, tail.at(-1)?.step ?? after);
  return {
    firstStep: chart.firstStep ?? tail[0]?.step ?? null,
    lastStep: Number.isFinite(lastStep) ? lastStep : null,
    columnSteps: chart.columnSteps,
    steps: [...chart.steps, ...columns.map(({ start }) => start)],
    times: [...chart.times, ...columns.map(({ steps }) => steps[0]?.time ?? 0)],
    tokens: [
      ...chart.tokens,
      ...columns.map(({ steps }) => steps.find(({ tokens }) => tokens != null)?.tokens ?? null),
    ],
    series: mapSeries(chart, (series, key) => {
      const added = columns.map(({ steps }) => summarize(steps.map((step) => readSeries(step, key))));
      return concatenate(series, added);
    }),
  };
}

function readSeries(event: StepEvent, key: SeriesKey): number | null | undefined {
  if (!isCustom(key)) return event[key];
  const name = customNameOf(key);
  return event.custom && Object.hasOwn(event.custom, name) ? event.custom[name] : null;
}

export function isCustom(key: string): key is `custom:${string}` {
  return key.startsWith('custom:');
}

function customNameOf(key: `custom:${string}`): string {
  return key.slice('custom:'.length);
}

interface Summary {
  mean: number | null;
  min: number | null;
  max: number | null;
  nonFinite: number;
}

function summarize(values: readonly (number | null | undefined)[]): Summary {
  const present = values.filter((value) => value != null);
  const finite = present.filter(Number.isFinite);
  const nonFinite = present.length - finite.length;
  const extent = extentOf(finite, false);
  if (extent === null) return { mean: null, min: null, max: null, nonFinite };
  const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
  return { mean, min: extent[0], max: extent[1], nonFinite };
}

function concatenate(series: ChartSeries, added: readonly Summary[]): ChartSeries {
  return {
    mean: [...series.mean, ...added.map(({ mean }) => mean)],
    min: series.min && [...series.min, ...added.map(({ min }) => min)],
    max: series.max && [...series.max, ...added.map(({ max }) => max)],
    nonFinite: [...series.nonFinite, ...added.map(({ nonFinite }) => nonFinite)],
  };
}

/** What is left of a chart when a new attempt starts at `first`: that step and all after it are superseded. */
export function cutChart(chart: Chart, first: number): Chart {
  const kept = countBelow(chart.steps, first);
  const isCutWhole = chart.firstStep === null || chart.firstStep >= first;
  return {
    ...chart,
    firstStep: isCutWhole ? null : chart.firstStep,
    lastStep: isCutWhole ? null : Math.min(chart.lastStep ?? first - 1, first - 1),
    steps: chart.steps.slice(0, kept),
    times: chart.times.slice(0, kept),
    tokens: chart.tokens.slice(0, kept),
    series: mapSeries(chart, ({ mean, min, max, nonFinite }) => ({
      mean: mean.slice(0, kept),
      min: min?.slice(0, kept) ?? null,
      max: max?.slice(0, kept) ?? null,
      nonFinite: nonFinite.slice(0, kept),
    })),
  };
}

/** An array's chart with what streamed in since `after`; a column shows its first step, as the stored ones do. */
export function extendArray(
  chart: ArrayChart,
  array: StepArray,
  tail: readonly StepEvent[],
  range: StepRange,
  after: number,
): ArrayChart {
  const carrying = tail.filter((event) => event[array]?.length && isWithin(range)(event));
  const columns = columnsOf(carrying, columnStepsOf(chart.steps), Math.max(after, chart.steps.at(-1) ?? after));
  return {
    steps: [...chart.steps, ...columns.map(({ start }) => start)],
    values: [...chart.values, ...columns.map(({ steps }) => finiteValues(steps[0]?.[array]))],
  };
}

export function cutArray({ steps, values }: ArrayChart, first: number): ArrayChart {
  const kept = countBelow(steps, first);
  return { steps: steps.slice(0, kept), values: values.slice(0, kept) };
}

function finiteValues(values: readonly number[] | null | undefined): (number | null)[] {
  return values?.map((value) => (Number.isFinite(value) ? value : null)) ?? [];
}

/** How many steps a column spans: the median distance, because the first and the last column may be cut short. */
export function columnStepsOf(steps: readonly number[]): number {
  const distances = steps.slice(1).map((step, at) => step - (steps[at] ?? 0));
  return distances.sort((a, b) => a - b)[distances.length >> 1] ?? 1;
}

function isWithin({
  from = Number.NEGATIVE_INFINITY,
  to = Number.POSITIVE_INFINITY,
}: StepRange): (event: StepEvent) => boolean {
  return ({ step }) => step >= from && step <= to;
}

function countBelow(steps: readonly number[], limit: number): number {
  const at = steps.findIndex((step) => step >= limit);
  return at < 0 ? steps.length : at;
}

function mapSeries(chart: Chart, map: (series: ChartSeries, key: SeriesKey) => ChartSeries): Chart['series'] {
  const entries = Object.entries(chart.series) as [SeriesKey, ChartSeries][];
  return Object.fromEntries(entries.map(([key, series]) => [key, map(series, key)]));
}
