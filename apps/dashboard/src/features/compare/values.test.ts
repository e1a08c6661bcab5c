import { expect, test } from 'vitest';
import type { Chart } from '../../trpc/client.tsx';
import { inOrder, nextOrder, type RunValues, valuesOf, valuesOrder } from './values.ts';

const run = {
  ...{ loss: 2.5, tevMean: 0.1, lastStep: 99, risk: 0.25 },
  ...{ status: 'finished' as const, startedAt: new Date(1_000), endedAt: new Date(61_000) },
};
const chart: Chart = {
  firstStep: 0,
  lastStep: 99,
  columnSteps: 128,
  steps: [0],
  times: [0],
  tokens: [512],
  series: {},
};
const series = (min: number, mean: number, max: number) => ({ mean: [mean], min: [min], max: [max], nonFinite: [0] });

test('a run by its last step, its extremes and its span', () => {
  const extremes = { ...chart, series: { loss: series(2, 3, 9), tevMean: series(0.02, 0.05, 0.4) } };
  const last = { ...chart, tokens: [40_960] };
  expect(valuesOf({ run, extremes, last, now: null })).toEqual({
    ...{ loss: 2.5, bestLoss: 2, tevMean: 0.1, greatestTev: 0.4, greatestGradVar: null },
    ...{ lastStep: 99, tokens: 40_960, took: 60_000, risk: 0.25, status: 'finished' },
  });
});

test('of a single step the value is its own extreme, and a run that goes on has taken until now', () => {
  const single = { ...chart, columnSteps: 1, series: { loss: { mean: [4], min: null, max: null, nonFinite: [0] } } };
  const read = { run: { ...run, endedAt: null }, extremes: single, last: undefined };
  expect(valuesOf({ ...read, now: 31_000 })).toMatchObject({ bestLoss: 4, took: 30_000, tokens: null });
  expect(valuesOf({ ...read, now: null })).toMatchObject({ took: null });
});

const rowsOf = (...losses: (number | null)[]) => losses.map((loss) => ({ values: { loss } as RunValues }));
const lossesOf = (rows: { values: RunValues }[]) => rows.map(({ values }) => values.loss);

test('rows sort either way, with what is unknown or no number at the end', () => {
  const rows = rowsOf(3, null, 1, Number.NaN, Number.POSITIVE_INFINITY, 2);
  expect(lossesOf(inOrder(rows, null))).toEqual(lossesOf(rows));
  expect(lossesOf(inOrder(rows, { by: 'loss', descending: false }))).toEqual([
    ...[1, 2, 3, Number.POSITIVE_INFINITY],
    ...[null, Number.NaN],
  ]);
  expect(lossesOf(inOrder(rows, { by: 'loss', descending: true })).slice(0, 4)).toEqual([
    ...[Number.POSITIVE_INFINITY, 3, 2, 1],
  ]);
});

test('a column sorts one way, then the other, then no more', () => {
  const orders = [null, { by: 'took', descending: false }, { by: 'took', descending: true }] as const;
  expect(orders.map((order) => nextOrder('took', order))).toEqual([orders[1], orders[2], null]);
  expect(nextOrder('loss', orders[2])).toEqual({ by: 'loss', descending: false });
  expect(['took', '-took', 'no', ''].map((sort) => valuesOrder.parse(sort))).toEqual([
    ...[orders[1], orders[2], null, null],
  ]);
});
