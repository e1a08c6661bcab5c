import { expect, test } from 'vitest';
import { stepsOf } from './load.ts';

test('a step has as many scalars as are asked for, custom scalars after the charted ones', () => {
  const countOf = (scalars: number) => {
    const { step, time: _, custom, ...fields } = stepsOf({ scalars })(3);
    expect(step).toBe(3);
    return [Object.keys(fields).length, Object.keys(custom ?? {}).length];
  };
  expect(countOf(2)).toEqual([2, 0]);
  expect(countOf(6)).toEqual([6, 0]);
  expect(countOf(2_000)).toEqual([6, 1_994]);
});
