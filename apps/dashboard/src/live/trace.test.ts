import { expect, it } from 'vitest';
import { Trace, tracePaths } from './trace.ts';

it('keeps the newest 120 points in order, of those that come too often few', () => {
  const trace = new Trace();
  for (let ms = 0; ms < 100_000; ms += 50) trace.add(ms, ms);
  const values = trace.toArray();
  expect(values).toHaveLength(120);
  expect(values.slice(-2)).toEqual([99_200, 99_600]);
  expect(values.every((value, at) => at === 0 || value === (values[at - 1] ?? 0) + 400)).toBe(true);
});

it('holds what has come so far, and no point where there was no value', () => {
  const trace = new Trace();
  expect([trace.length, trace.toArray()]).toEqual([0, []]);
  trace.add(1, 0);
  trace.add(null, 1_000);
  trace.add(Number.NaN, 2_000);
  expect(trace.toArray()).toEqual([1, Number.NaN]);
});

it('draws across the whole width from the second point on, highest value at the top', () => {
  expect(tracePaths([1, 3], 20, 10)).toEqual(['M0.0,10.0L20.0,0.0']);
  expect(tracePaths([1, 3, 2], 20, 10)).toEqual(['M0.0,10.0L10.0,0.0L20.0,5.0']);
});

it('breaks at a non-finite value', () => {
  expect(tracePaths([1, 2, Number.NaN, 4, 5], 19, 10)).toHaveLength(2);
  expect(tracePaths([Number.NaN], 19, 10)).toEqual([]);
});

it('draws a constant in the middle', () => {
  expect(tracePaths([7, 7], 19, 10)).toEqual(['M0.0,5.0L19.0,5.0']);
});
