import { expect, it } from 'vitest';
import type { Chart, ChartSeries } from '../../trpc/client.tsx';
import { isPressedFlat, joinExtents, positiveExtent } from './axis-range.ts';
import type { MetricView } from './metrics.ts';
import { plotData, summarizeMetric } from './plot-data.ts';

const LOSS: MetricView = { metric: 'loss', title: 'Loss', unit: null, scale: 'auto' };
const TEV: MetricView = { metric: 'tevMean', title: 'TEV', unit: null, scale: 'auto', deviation: 'tevStd' };

function chart(loss: Partial<ChartSeries>, tevStd: (number | null)[] = []): Chart {
  const none = { mean: [], min: null, max: null, nonFinite: [] };
  const series = { ...none, ...loss };
  return {
    firstStep: 0,
    lastStep: 3,
    columnSteps: 1,
    steps: [0, 1, 2, 3],
    times: [0, 1, 2, 3],
    tokens: [null, null, null, null],
    series: {
      loss: series,
      tevMean: series,
      tevStd: { ...none, mean: tevStd },
      gradVar: none,
      gradNorm: none,
      lr: none,
    },
  };
}

it('joins over columns without the metric and breaks at non-finite ones', () => {
  const data = plotData(chart({ mean: [4, null, null, 1], nonFinite: [0, 0, 1, 0] }), LOSS);
  expect(data.steps).toEqual([0, 2, 3]);
  expect(data.mean).toEqual([4, null, 1]);
  expect(data.nonFinite).toEqual([0, 1, 0]);
});

it('keeps the spike of a column beside its mean', () => {
  const data = plotData(chart({ mean: [4, 5], min: [3, 3], max: [5, 900], nonFinite: [0, 0] }), LOSS);
  expect(data.low).toEqual([3, 3]);
  expect(data.high).toEqual([5, 900]);
});

it('draws the deviation around the mean, never below zero', () => {
  const data = plotData(chart({ mean: [4, 1], nonFinite: [0, 0] }, [1, 3]), TEV);
  expect(data.deviationLow).toEqual([3, 0]);
  expect(data.deviationHigh).toEqual([5, 4]);
});

it('sums up what is drawn', () => {
  const drawn = chart({ mean: [4, 5, 2, null], min: [3, 3, 1, null], max: [5, 900, 2, null], nonFinite: [0, 1, 0, 7] });
  expect(summarizeMetric(drawn, LOSS)).toEqual({ latest: 2, latestStep: 2, lowest: 1, highest: 900, nonFinite: 8 });
  expect(summarizeMetric(chart({}), LOSS)).toEqual({
    latest: null,
    latestStep: null,
    lowest: null,
    highest: null,
    nonFinite: 0,
  });
});

it('distinguishes a line over decades from one that is not', () => {
  expect(isPressedFlat(positiveExtent([4, null, 91, 3]))).toBe(true);
  expect(isPressedFlat(positiveExtent([4, 5, 89, 3, 0, -1]))).toBe(false);
  expect(isPressedFlat(positiveExtent([]))).toBe(false);
  expect(isPressedFlat(joinExtents(positiveExtent([3]), positiveExtent([91])))).toBe(true);
});

it('keeps the columns that only what is drawn beside it has', () => {
  const evaluated: MetricView = {
    ...LOSS,
    beside: { metric: 'custom:evalLoss', name: 'evaluation', title: 'Evaluation loss', isSeldom: true },
  };
  const read = chart({ mean: [4, 3, null, null], nonFinite: [0, 0, 0, 0] });
  const evalLoss = { mean: [5, null, 4, null], min: null, max: null, nonFinite: [0, 0, 0, 0] };
  const data = plotData({ ...read, series: { ...read.series, 'custom:evalLoss': evalLoss } }, evaluated);
  expect([data.steps, data.mean, data.beside]).toEqual([
    [0, 1, 2],
    [4, 3, null],
    [5, null, 4],
  ]);
  expect(plotData(read, evaluated).beside).toEqual([null, null]);
});
