import { expect, test } from 'vitest';
import { extendBounds, NO_STEPS, type StepBounds } from './step-bounds.ts';

const range = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at);
const HUGE = 10_000_000;

function boundsOf(...batches: number[][]): StepBounds {
  return batches.reduce((known, steps) => extendBounds(known, steps), NO_STEPS);
}

test('one huge step number is an outlier, in a batch of its own or with others, and stays one', () => {
  const expected = { first: 0, last: 99, outliers: [HUGE] };
  expect(boundsOf(range(0, 50), [HUGE], range(50, 50))).toEqual(expected);
  expect(boundsOf([...range(0, 50), HUGE, ...range(50, 50)])).toEqual(expected);
  expect(boundsOf([HUGE, ...range(0, 50)], range(50, 50))).toEqual(expected);
});

test('a jump from which two further steps go on is real', () => {
  const before = boundsOf(range(0, 50), [HUGE], [HUGE + 1]);
  expect(before).toEqual({ first: 0, last: 49, outliers: [HUGE, HUGE + 1] });
  expect(extendBounds(before, [HUGE + 2])).toEqual({ first: 0, last: HUGE + 2, outliers: [] });
});

test('wrong numbers that lie far from each other do not confirm each other', () => {
  const wrong = [HUGE, 1_000 * HUGE, 100_000 * HUGE];
  expect(boundsOf(range(0, 50), wrong)).toEqual({ first: 0, last: 49, outliers: wrong });
});

test('an outlier that the others come near to is none any more', () => {
  expect(boundsOf(range(0, 50), [20_000]).outliers).toEqual([20_000]);
  expect(boundsOf(range(0, 50), [20_000], [9_000])).toEqual({ first: 0, last: 20_000, outliers: [] });
});

test('steps far apart from the first on are no outliers', () => {
  expect(boundsOf([0], [20_000], [40_000])).toEqual({ first: 0, last: 40_000, outliers: [] });
});

test('what a person has removed changes nothing', () => {
  const known = boundsOf(range(0, 50));
  expect(extendBounds(known, [HUGE], [HUGE])).toEqual(known);
});

test('more outliers than a few are steps', () => {
  const many = range(1, 17).map((times) => times * HUGE * 1_000 ** (times > 2 ? 1 : 0));
  expect(boundsOf(range(0, 50), many).outliers).toEqual([]);
});
