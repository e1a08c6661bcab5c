import { expect, test } from 'vitest';
import { percentilesOf } from './percentiles.ts';

test('percentiles are values that were measured, and null where none was', () => {
  const times = Array.from({ length: 200 }, (_, at) => 199 - at);
  expect(percentilesOf(times)).toEqual({ p50: 100, p99: 198, max: 199 });
  expect(percentilesOf([7])).toEqual({ p50: 7, p99: 7, max: 7 });
  expect(percentilesOf([])).toEqual({ p50: null, p99: null, max: null });
});
