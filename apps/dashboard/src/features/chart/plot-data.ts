import type { Chart, ChartSeries } from '../../trpc/client.tsx';
import type { MetricView } from './metrics.ts';

/** What one chart draws; every array has one element a column. */
export interface PlotData {
  steps: number[];
  mean: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  /** Mean minus and plus the deviation; null throughout where the metric has none. */
  deviationLow: (number | null)[];
  deviationHigh: (number | null)[];
  /** Of what is drawn beside the metric; null throughout where there is none. */
  beside: (number | null)[];
  nonFinite: number[];
}

const NOTHING: ChartSeries = { mean: [], min: null, max: null, nonFinite: [] };

/**
 * A metric's columns. Columns that carry neither the metric nor what is beside it are left out, so that the line runs on
 * between sparse values; those whose values were all non-finite stay and break it.
 */
export function plotData(chart: Chart, { metric, deviation, beside }: MetricView): PlotData {
  const { mean, min, max, nonFinite } = chart.series[metric] ?? NOTHING;
  const spread = deviation && chart.series[deviation]?.mean;
  const other = beside && chart.series[beside.metric]?.mean;
  const data: PlotData = {
    steps: [],
    mean: [],
    low: [],
    high: [],
    deviationLow: [],
    deviationHigh: [],
    beside: [],
    nonFinite: [],
  };
  chart.steps.forEach((step, at) => {
    const value = mean[at] ?? null;
    const companion = other?.[at] ?? null;
    if (value === null && companion === null && !nonFinite[at]) return;
    const deviation = spread?.[at] ?? null;
    data.steps.push(step);
    data.mean.push(value);
    data.low.push(min?.[at] ?? value);
    data.high.push(max?.[at] ?? value);
    // What has a deviation here, TEV, is a deviation itself and never below zero.
    data.deviationLow.push(value === null || deviation === null ? null : Math.max(0, value - deviation));
    data.deviationHigh.push(value === null || deviation === null ? null : value + deviation);
    data.beside.push(companion);
    data.nonFinite.push(nonFinite[at] ?? 0);
  });
  return data;
}

export interface MetricSummary {
  latest: number | null;
  latestStep: number | null;
  lowest: number | null;
  highest: number | null;
  nonFinite: number;
}

/** A chart as text: what its description and its table alternative say. */
export function summarizeMetric(chart: Chart, view: MetricView): MetricSummary {
  const { steps, mean, low, high, nonFinite } = plotData(chart, view);
  const at = mean.findLastIndex((value) => value !== null);
  return {
    latest: mean[at] ?? null,
    latestStep: steps[at] ?? null,
    lowest: extreme(low, (a, b) => a < b),
    highest: extreme(high, (a, b) => a > b),
    nonFinite: nonFinite.reduce((sum, count) => sum + count, 0),
  };
}

function extreme(values: readonly (number | null)[], beats: (a: number, b: number) => boolean): number | null {
  return values.reduce<number | null>(
    (best, value) => (value !== null && (best === null || beats(value, best)) ? value : best),
    null,
  );
}
