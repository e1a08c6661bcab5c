import type { StepEvent } from '@evenkeel/protocol';
import type { Chart, LayerChart } from '../../trpc/client.tsx';
import type { Metric } from './metrics.ts';
import { columnsOf } from './tail.ts';
import type { StepRange } from './view-params.ts';

type Series = Chart['series'][Metric];

/** A chart as it was read, with the steps that streamed in since, in columns as wide as the chart's own. */
export function extendChart(chart: Chart, tail: readonly StepEvent[], range: StepRange): Chart {
  const after = chart.lastStep ?? -1;
  const columns = columnsOf(tail.filter(isWithin(range)), chart.columnSteps, after);
  const lastStep = Math.max(after, tail.at(-1)?.step ?? -1);
  return {
    firstStep: chart.firstStep ?? tail[0]?.step ?? null,
    lastStep: lastStep < 0 ? null : lastStep,
    columnSteps: chart.columnSteps,
    steps: [...chart.steps, ...columns.map(({ start }) => start)],
    series: mapSeries(chart, (series, metric) => {
      const added = columns.map(({ steps }) => summarise(steps.map((step) => step[metric])));
      return concatenate(series, added);
    }),
  };
}

interface Summary {
  mean: number | null;
  min: number | null;
  max: number | null;
  nonFinite: number;
}

function summarise(values: readonly (number | null | undefined)[]): Summary {
  const present = values.filter((value) => value != null);
  const finite = present.filter(Number.isFinite);
  const nonFinite = present.length - finite.length;
  if (finite.length === 0) return { mean: null, min: null, max: null, nonFinite };
  const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
  return { mean, min: Math.min(...finite), max: Math.max(...finite), nonFinite };
}

function concatenate(series: Series, added: readonly Summary[]): Series {
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
  return {
    ...chart,
    firstStep: chart.firstStep !== null && chart.firstStep < first ? chart.firstStep : null,
    lastStep: first > 0 ? Math.min(chart.lastStep ?? first - 1, first - 1) : null,
    steps: chart.steps.slice(0, kept),
    series: mapSeries(chart, ({ mean, min, max, nonFinite }) => ({
      mean: mean.slice(0, kept),
      min: min?.slice(0, kept) ?? null,
      max: max?.slice(0, kept) ?? null,
      nonFinite: nonFinite.slice(0, kept),
    })),
  };
}

/** The layers' chart with what streamed in since `after`; a column shows its first step, as the stored ones do. */
export function extendLayers(
  chart: LayerChart,
  tail: readonly StepEvent[],
  range: StepRange,
  after: number,
): LayerChart {
  const carrying = tail.filter((event) => event.layerGradVar?.length && isWithin(range)(event));
  const columns = columnsOf(carrying, columnStepsOf(chart.steps), Math.max(after, chart.steps.at(-1) ?? -1));
  return {
    layers: chart.layers,
    steps: [...chart.steps, ...columns.map(({ start }) => start)],
    gradVar: [...chart.gradVar, ...columns.map(({ steps }) => finiteLayers(steps[0]))],
  };
}

export function cutLayers(chart: LayerChart, first: number): LayerChart {
  const kept = countBelow(chart.steps, first);
  return { ...chart, steps: chart.steps.slice(0, kept), gradVar: chart.gradVar.slice(0, kept) };
}

function finiteLayers(event: StepEvent | undefined): (number | null)[] {
  return event?.layerGradVar?.map((value) => (Number.isFinite(value) ? value : null)) ?? [];
}

/** How many steps a column spans: the median distance, because the first and the last column may be cut short. */
export function columnStepsOf(steps: readonly number[]): number {
  const distances = steps.slice(1).map((step, at) => step - (steps[at] ?? 0));
  return distances.sort((a, b) => a - b)[distances.length >> 1] ?? 1;
}

function isWithin({ from = 0, to = Number.POSITIVE_INFINITY }: StepRange): (event: StepEvent) => boolean {
  return ({ step }) => step >= from && step <= to;
}

function countBelow(steps: readonly number[], limit: number): number {
  const at = steps.findIndex((step) => step >= limit);
  return at < 0 ? steps.length : at;
}

function mapSeries(chart: Chart, map: (series: Series, metric: Metric) => Series): Chart['series'] {
  const entries = Object.entries(chart.series) as [Metric, Series][];
  return Object.fromEntries(entries.map(([metric, series]) => [metric, map(series, metric)])) as Chart['series'];
}
