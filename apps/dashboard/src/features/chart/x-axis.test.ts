import { describe, expect, it } from 'vitest';
import type { Chart } from '../../trpc/client.tsx';
import { STEP_AXIS, xAxisOf } from './x-axis.ts';

/** Columns of 10 steps: the batch grows tenfold at step 20, and the trainer stood still for an hour before step 30. */
const CHART: Chart = {
  firstStep: 0,
  lastStep: 49,
  columnSteps: 10,
  steps: [0, 10, 20, 30, 40],
  times: [5_000, 15_000, 25_000, 3_635_000, 3_645_000],
  tokens: [0, 1_000, 2_000, 12_000, 22_000],
  series: {},
};

describe('an axis of tokens', () => {
  const axis = xAxisOf(CHART, 'tokens', 5_000);
  it('spaces steps by the tokens seen, and goes on beyond what is known', () => {
    expect([0, 5, 20, 25, 40, 50].map(axis.placeOf)).toEqual([0, 500, 2_000, 7_000, 22_000, 32_000]);
    for (const step of [0, 3, 19, 27, 44]) expect(axis.stepAt(axis.placeOf(step))).toBeCloseTo(step, 9);
  });
  it('has its ticks at round numbers of tokens', () => {
    const ticks = axis.ticks(0, 50, 4);
    expect(ticks.map(({ label }) => label)).toEqual(['0', '10k', '20k', '30k']);
    expect(ticks.map(({ step }) => step)).toEqual([0, 28, 38, 48]);
    expect(axis.words(25)).toBe('7.00k tokens');
  });
});

describe('an axis of time', () => {
  const axis = xAxisOf(CHART, 'time', 5_000);
  it('shows that the trainer stood still', () => {
    expect([0, 10, 20, 30].map(axis.placeOf)).toEqual([0, 10_000, 20_000, 3_630_000]);
    expect(axis.ticks(0, 40, 5).map(({ label }) => label)).toEqual(['0', '15 min', '30 min', '45 min', '1 h']);
    expect(axis.words(30)).toBe('after 1 h');
  });
});

it('a clock that stands or jumps back still gives an axis that rises', () => {
  const axis = xAxisOf({ ...CHART, times: [0, 20_000, 20_000, 10_000, 40_000] }, 'time', 0);
  expect([0, 10, 25, 40].map(axis.placeOf)).toEqual([0, 20_000, 30_000, 40_000]);
});

it('without what it needs it is the axis of steps', () => {
  const uncounted = { ...CHART, tokens: CHART.steps.map(() => null) };
  expect(xAxisOf(uncounted, 'tokens', 0)).toBe(STEP_AXIS);
  expect(STEP_AXIS.ticks(0, 40, 4)).toEqual([0, 10, 20, 30, 40].map((step) => ({ step, label: `${step}` })));
});
