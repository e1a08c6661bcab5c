import { expect, it } from 'vitest';
import { linearRange, logRange } from './axis-range.ts';

it('a linear axis leaves room, and none below zero', () => {
  expect(linearRange(0, 100)).toEqual([0, 106]);
  expect(linearRange(-100, 100)).toEqual([-112, 112]);
  expect(linearRange(5, 5)).toEqual([4.7, 5.3]);
  expect(linearRange(0, 0)).toEqual([0, 1]);
  expect(linearRange(null, null)).toEqual([0, 1]);
});

it.each([
  [1e-5, 1e35],
  [4, 4],
  [5e-324, Number.MAX_VALUE],
])('a logarithmic axis from %d to %d shows both and stays finite', (low, high) => {
  const [from, to] = logRange(low, high);
  expect(from).toBeGreaterThan(0);
  expect(from).toBeLessThan(Math.max(low, 1e-306));
  expect(to).toBeGreaterThan(from);
  expect(to).toBeLessThan(Number.POSITIVE_INFINITY);
  expect(to).toBeGreaterThanOrEqual(Math.min(high, 1e308));
});

it('a logarithmic axis of nothing positive is still one', () => {
  expect(logRange(null, null)).toEqual([0.1, 10]);
  expect(logRange(0, 3)).toEqual([0.1, 10]);
});
