import { expect, it } from 'vitest';
import { sparklinePath, sparklineValues } from './sparkline-path.ts';

it('ends with the newest value, breaks where nothing is finite, and leaves out what was not measured', () => {
  const series = { mean: [3, null, null, 2], min: null, max: null, nonFinite: [0, 1, 0, 0] };
  expect(sparklineValues(series, 1)).toEqual([3, Number.NaN, 2, 1]);
  expect(sparklineValues(series, null)).toEqual([3, Number.NaN, 2]);
  expect(sparklineValues(undefined, 1)).toEqual([]);
});

it('draws across the whole width from the second point on, highest value at the top', () => {
  expect(sparklinePath([1, 3], 20, 10)).toBe('M0,10L20,0');
  expect(sparklinePath([1, 3, 2], 20, 10)).toBe('M0,10L10,0L20,5');
});

it('breaks at a non-finite value', () => {
  expect(sparklinePath([1, 2, Number.NaN, 4, 5], 20, 10)).toBe('M0,10L5,7.5M15,2.5L20,0');
  expect(sparklinePath([Number.NaN], 19, 10)).toBe('');
});

it('draws a constant in the middle', () => {
  expect(sparklinePath([7, 7], 19, 10)).toBe('M0,5L19,5');
});

it('shows what diverges by its logarithms', () => {
  expect(sparklinePath([1, 10, 100], 20, 10)).toBe('M0,10L10,5L20,0');
});
