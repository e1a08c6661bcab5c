import { expect, test } from 'vitest';
import type { Chart } from '../../trpc/client.tsx';
import { axisOf, nearest, placesOf, stepsWithin } from './align.ts';

const chart: Chart = {
  ...{ firstStep: 0, lastStep: 40, columnSteps: 10, series: {} },
  steps: [0, 10, 20, 30, 40],
  times: [1_000, 3_000, 2_000, 7_000, 9_000],
  tokens: [null, 500, 1_000, null, 2_000],
};

test('a column stands at its step, its tokens or its time since the run began', () => {
  expect([...placesOf(chart, 'step', 0)]).toEqual([0, 10, 20, 30, 40].map((step) => [step, step]));
  expect([...placesOf(chart, 'tokens', 0)]).toEqual([
    [10, 500],
    [20, 1_000],
    [40, 2_000],
  ]);
});

test('where a clock jumps back, and where steps came before the run began, places still rise', () => {
  expect([...placesOf(chart, 'time', 1_000)]).toEqual([
    [0, 0],
    [10, 2_000],
    [30, 6_000],
    [40, 8_000],
  ]);
  expect([...placesOf(chart, 'time', 5_000).values()]).toEqual([0, 2_000, 4_000]);
});

test('a range of tokens is a range of steps, with a column more on either side', () => {
  const places = placesOf(chart, 'tokens', 0);
  expect(stepsWithin(places, { from: 600, to: 900 })).toEqual({ from: 10, to: 20 });
  expect(stepsWithin(places, { from: 1_000, to: 5_000 })).toEqual({ from: 20 });
  expect(stepsWithin(places, { to: 900 })).toEqual({ to: 20 });
});

test('a run has nothing in a range before its first place, and its end in one after its last', () => {
  const places = placesOf(chart, 'tokens', 0);
  expect(stepsWithin(places, { from: 0, to: 400 })).toBeNull();
  expect(stepsWithin(places, { from: 3_000, to: 4_000 })).toEqual({ from: 40 });
  expect(stepsWithin(new Map(), { from: 0, to: 400 })).toBeNull();
});

test('the nearest column, unless the run has ended by then or not begun', () => {
  const places = [100, 200, 300];
  expect([149, 151, 300, 399, 401].map((place) => nearest(places, place))).toEqual([0, 1, 2, 2, null]);
  expect([1, -1].map((place) => nearest(places, place))).toEqual([0, null]);
  expect([nearest([7], 7), nearest([7], 8), nearest([], 8)]).toEqual([0, null, null]);
});

test('the axis leaves places where they are, and words them in their unit', () => {
  for (const align of ['step', 'tokens', 'time'] as const) {
    expect([0, 1, 123_456].map((place) => axisOf(align).placeOf(place))).toEqual([0, 1, 123_456]);
    expect(axisOf(align).stepAt(7_000)).toBe(7_000);
  }
  expect(axisOf('tokens').words(2_500_000)).toBe('2.50M tokens');
  expect(axisOf('time').words(90 * 60_000)).toBe('after 1 h 30 min');
});
