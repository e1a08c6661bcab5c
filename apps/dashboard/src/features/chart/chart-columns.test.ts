import type { StepEvent } from '@evenkeel/protocol';
import { describe, expect, it } from 'vitest';
import type { Chart } from '../../trpc/client.tsx';
import { columnStepsOf, cutArray, cutChart, extendArray, extendChart } from './chart-columns.ts';

/** A chart whose every metric holds `mean`, as the server would send it. */
function chart(columnSteps: number, steps: number[], lastStep: number, mean: (number | null)[]): Chart {
  const series = {
    mean,
    min: columnSteps > 1 ? mean : null,
    max: columnSteps > 1 ? mean : null,
    nonFinite: mean.map((value) => (value === null ? 1 : 0)),
  };
  return {
    firstStep: steps[0] ?? null,
    lastStep,
    columnSteps,
    steps,
    times: steps.map((step) => 10 * step),
    tokens: steps.map((step) => 100 * step),
    series: { loss: series, tevMean: series, tevStd: series, gradVar: series, gradNorm: series, lr: series },
  };
}

const step = (number: number, loss: number | null, layerGradVar?: number[]): StepEvent => ({
  step: number,
  time: 0,
  loss,
  layerGradVar,
});

describe('extendChart', () => {
  it('adds single steps to a chart of single steps, and none twice', () => {
    const extended = extendChart(chart(1, [0, 1], 1, [5, 4]), [step(1, 99), step(2, 3), step(3, Number.NaN)], {});
    expect(extended.steps).toEqual([0, 1, 2, 3]);
    expect(extended.lastStep).toBe(3);
    expect(extended.series.loss).toEqual({ mean: [5, 4, 3, null], min: null, max: null, nonFinite: [0, 0, 0, 1] });
  });

  it('keeps the min and the max of the steps that a column gathers', () => {
    const tail = [step(4, 2), step(5, 1000), step(6, Number.POSITIVE_INFINITY), step(7, 4)];
    const { steps, series } = extendChart(chart(4, [0], 3, [5]), tail, {});
    expect(steps).toEqual([0, 4]);
    expect(series.loss).toEqual({ mean: [5, 1006 / 3], min: [5, 2], max: [5, 1000], nonFinite: [0, 1] });
    expect(series.lr).toMatchObject({ mean: [5, null], nonFinite: [0, 0] }); // the steps carried none
  });

  it('draws only what is in range, and still knows where the run stands', () => {
    const extended = extendChart(chart(1, [0, 1], 1, [5, 4]), [step(2, 3), step(3, 2)], { from: 0, to: 2 });
    expect(extended.steps).toEqual([0, 1, 2]);
    expect(extended.lastStep).toBe(3);
  });

  it('draws negative steps', () => {
    const tail = [-5, -4, -3, 0, 1].map((at) => step(at, 1));
    const empty = { ...chart(1, [], 0, []), firstStep: null, lastStep: null };
    expect(extendChart(empty, tail, {}).steps).toEqual([-5, -4, -3, 0, 1]);
    expect(extendChart(empty, tail, { from: -4, to: 0 }).steps).toEqual([-4, -3, 0]);
    const wide = extendChart({ ...empty, columnSteps: 4 }, tail, {});
    expect(wide).toMatchObject({ firstStep: -5, steps: [-8, -4, 0] });
  });

  it('begins with nothing', () => {
    const empty = { ...chart(1, [], 0, []), firstStep: null, lastStep: null };
    expect(extendChart(empty, [], {})).toMatchObject({ firstStep: null, lastStep: null, steps: [] });
    expect(extendChart(empty, [step(7, 1)], {})).toMatchObject({ firstStep: 7, lastStep: 7, steps: [7] });
  });
});

it('cutChart leaves what came before a rewind', () => {
  const cut = cutChart(chart(2, [0, 2, 4], 5, [3, 2, 1]), 3);
  expect(cut).toMatchObject({ firstStep: 0, lastStep: 2, steps: [0, 2] });
  expect(cut.series.loss?.mean).toEqual([3, 2]);
  expect(cutChart(chart(2, [0, 2], 3, [3, 2]), 0)).toMatchObject({ firstStep: null, lastStep: null, steps: [] });
});

it('the clock of a chart goes on with it, and is cut with it', () => {
  const tail = [step(4, 1), { ...step(5, 1), time: 50, tokens: 500 }, { ...step(8, 1), time: 80 }];
  const extended = extendChart(chart(4, [0], 3, [5]), tail, {});
  expect([extended.times, extended.tokens]).toEqual([
    [0, 0, 80],
    [0, 500, null],
  ]);
  const cut = cutChart(extended, 4);
  expect([cut.times, cut.tokens]).toEqual([[0], [0]]);
});

it('custom scalars grow by their names', () => {
  const read = chart(1, [0], 0, [5]);
  const custom = { ...read, series: { 'custom:speed': { mean: [7], min: null, max: null, nonFinite: [0] } } };
  const tail = [{ ...step(1, 1), custom: { speed: 8, other: 1 } }, step(2, 1)];
  expect(extendChart(custom, tail, {}).series).toEqual({
    'custom:speed': { mean: [7, 8, null], min: null, max: null, nonFinite: [0, 0, 0] },
  });
});

it('a custom scalar may have the name of what every object has', () => {
  const custom = {
    ...chart(1, [], 0, []),
    series: { 'custom:constructor': { mean: [], min: null, max: null, nonFinite: [] } },
  };
  const { series } = extendChart(custom, [{ ...step(1, 1), custom: { speed: 8 } }], {});
  expect(series['custom:constructor']).toMatchObject({ mean: [null], nonFinite: [0] });
});

it('arrays grow by columns as wide as theirs, each showing its first step', () => {
  const layers = {
    steps: [0, 2],
    values: [
      [1, 2],
      [3, 4],
    ],
  };
  const tail = [step(3, 0, [9, 9]), step(4, 0, [5, Number.NaN]), step(5, 0, [7, 7]), step(6, 0)];
  const extended = extendArray(layers, 'layerGradVar', tail, {}, 3);
  expect(extended.steps).toEqual([0, 2, 4]);
  expect(extended.values[2]).toEqual([5, null]);
  expect(cutArray(extended, 2)).toEqual({ steps: [0], values: [[1, 2]] });
});

it('columnStepsOf is not misled by columns cut short', () => {
  expect(columnStepsOf([3, 64, 128, 192, 200])).toBe(64);
  expect(columnStepsOf([5])).toBe(1);
});
