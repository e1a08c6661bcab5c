import { expect, it } from 'vitest';
import { courseOf, coursePaths } from './course.ts';

it('ends with the newest value, breaks where nothing is finite, and leaves out what was not measured', () => {
  const series = { mean: [3, null, null, 2], min: null, max: null, nonFinite: [0, 1, 0, 0] };
  expect(courseOf(series, 1)).toEqual([3, Number.NaN, 2, 1]);
  expect(courseOf(series, null)).toEqual([3, Number.NaN, 2]);
  expect(courseOf(undefined, 1)).toEqual([]);
});

it('draws across the whole width from the second point on, highest value at the top', () => {
  expect(coursePaths([1, 3], 20, 10)).toEqual(['M0.0,10.0L20.0,0.0']);
  expect(coursePaths([1, 3, 2], 20, 10)).toEqual(['M0.0,10.0L10.0,0.0L20.0,5.0']);
});

it('breaks at a non-finite value', () => {
  expect(coursePaths([1, 2, Number.NaN, 4, 5], 19, 10)).toHaveLength(2);
  expect(coursePaths([Number.NaN], 19, 10)).toEqual([]);
});

it('draws a constant in the middle', () => {
  expect(coursePaths([7, 7], 19, 10)).toEqual(['M0.0,5.0L19.0,5.0']);
});

it('shows the course of what diverges by its logarithms', () => {
  expect(coursePaths([1, 10, 100], 20, 10)).toEqual(['M0.0,10.0L10.0,5.0L20.0,0.0']);
});
