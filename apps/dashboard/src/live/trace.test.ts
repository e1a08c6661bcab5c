import { expect, it } from 'vitest';
import { addPoint, type Trace, tracePaths } from './trace.ts';

function trace(values: readonly number[]): Trace {
  return values.reduce<Trace>((points, value, index) => addPoint(points, value, index * 1000), []);
}

it('keeps 120 points, of those that come too often few', () => {
  let points: Trace = [];
  for (let ms = 0; ms < 1_000_000; ms += 50) points = addPoint(points, ms, ms);
  expect(points).toHaveLength(120);
  expect(points[1]?.at).toBe((points[0]?.at ?? 0) + 400);
});

it('draws across the whole width from the second point on, highest value at the top', () => {
  expect(tracePaths(trace([1, 3]), 20, 10)).toEqual(['M0.0,10.0L20.0,0.0']);
  expect(tracePaths(trace([1, 3, 2]), 20, 10)).toEqual(['M0.0,10.0L10.0,0.0L20.0,5.0']);
});

it('breaks at a non-finite value', () => {
  expect(tracePaths(trace([1, 2, Number.NaN, 4, 5]), 19, 10)).toHaveLength(2);
  expect(tracePaths(trace([Number.NaN]), 19, 10)).toEqual([]);
});

it('draws a constant in the middle', () => {
  expect(tracePaths(trace([7, 7]), 19, 10)).toEqual(['M0.0,5.0L19.0,5.0']);
});
