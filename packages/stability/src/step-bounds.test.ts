import fc from 'fast-check';
import { expect, test } from 'vitest';
import { extendBounds, isConfirmed, NO_STEPS, refuted, type StepBounds, withoutStep, withStep } from './step-bounds.ts';

const range = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at);
const HUGE = 10_000_000;

function boundsOf(...batches: number[][]): StepBounds {
  return batches.reduce((known, steps) => extendBounds(known, steps), NO_STEPS);
}

function placesOf({ first, last, outliers }: StepBounds) {
  return { first, last, outliers };
}

test('one huge step number is an outlier, in a batch of its own or with others, and stays one', () => {
  const expected = { first: 0, last: 99, outliers: [HUGE] };
  expect(placesOf(boundsOf(range(0, 50), [HUGE], range(50, 50)))).toEqual(expected);
  expect(placesOf(boundsOf([...range(0, 50), HUGE, ...range(50, 50)]))).toEqual(expected);
  expect(placesOf(boundsOf([HUGE, ...range(0, 50)], range(50, 50)))).toEqual(expected);
});

test('a jump from which two further steps go on is real', () => {
  const before = boundsOf(range(0, 50), [HUGE], [HUGE + 1]);
  expect(placesOf(before)).toEqual({ first: 0, last: 49, outliers: [HUGE, HUGE + 1] });
  const after = extendBounds(before, [HUGE + 2]);
  expect(placesOf(after)).toEqual({ first: 0, last: HUGE + 2, outliers: [] });
  expect([isConfirmed(before, after), refuted(before, after)]).toEqual([true, null]);
});

test('wrong numbers that lie far from each other do not confirm each other', () => {
  const wrong = [HUGE, 1_000 * HUGE, 100_000 * HUGE];
  expect(placesOf(boundsOf(range(0, 50), wrong))).toEqual({ first: 0, last: 49, outliers: wrong });
});

test('steps far apart from the first on are no outliers', () => {
  expect(placesOf(boundsOf([0], [20_000], [40_000]))).toEqual({ first: 0, last: 40_000, outliers: [] });
});

test('what a person has removed changes nothing', () => {
  const known = boundsOf(range(0, 50));
  expect(extendBounds(known, [HUGE], [HUGE])).toEqual(known);
});

test('more outliers than a few are steps', () => {
  const many = range(1, 17).map((times) => times * HUGE * 1_000 ** (times > 2 ? 1 : 0));
  expect(boundsOf(range(0, 50), many).outliers).toEqual([]);
});

test('a wrong number of any size is an outlier once three later steps lie below it, wherever and in whatever batches it comes', () => {
  const wrongNumbers = fc.record({
    before: fc.integer({ min: 0, max: 1_500 }),
    first: fc.integer({ min: -2_000, max: 2_000 }),
    stride: fc.integer({ min: 1, max: 7 }),
    ahead: fc.integer({ min: 150, max: 2 ** 40 }),
    size: fc.integer({ min: 1, max: 50 }),
  });
  fc.assert(
    fc.property(wrongNumbers, ({ before, first, stride, ahead, size }) => {
      const steps = range(0, before + 3).map((at) => first + stride * at);
      const wrong = first + stride * before + ahead;
      const arrived = steps.toSpliced(before, 0, wrong);
      const batches = range(0, Math.ceil(arrived.length / size)).map((at) => arrived.slice(at * size, (at + 1) * size));
      expect(placesOf(boundsOf(...batches))).toEqual({ first, last: steps.at(-1), outliers: [wrong] });
    }),
  );
});

test('a jump counts until three steps fall back below it: then what had counted is refuted', () => {
  const jumped = boundsOf(range(0, 1_000), [100_000]);
  expect(placesOf(jumped)).toEqual({ first: 0, last: 100_000, outliers: [] });
  const doubted = extendBounds(jumped, [1_000, 1_001]);
  expect([doubted.last, refuted(jumped, doubted)]).toEqual([100_000, null]);
  const fallen = extendBounds(doubted, [1_002]);
  expect(placesOf(fallen)).toEqual({ first: 0, last: 1_002, outliers: [100_000] });
  expect([refuted(doubted, fallen), isConfirmed(doubted, fallen)]).toEqual([100_000, false]);
});

test('one step that comes in three parts is one step that fell back', () => {
  expect(boundsOf(range(0, 1_000), [100_000], [1_000, 1_000, 1_000]).outliers).toEqual([]);
});

test('steps that go on behind a jump outweigh as many that come late before it, and 16 of them settle it', () => {
  expect(boundsOf(range(0, 50), range(2_000, 5), range(100, 5)).outliers).toEqual([]);
  expect(boundsOf(range(0, 50), range(2_000, 5), range(100, 6)).outliers).toEqual(range(2_000, 5));
  expect(boundsOf(range(0, 50), range(2_000, 17), range(100, 40))).toMatchObject({ last: 2_016, jumps: [] });
});

test('late steps behind the newest, evaluations among them, are no sign of a wrong number', () => {
  expect(boundsOf(range(0, 1_000), [1_200], [600, 700, 800, 900])).toMatchObject({ last: 1_200, outliers: [] });
  expect(boundsOf(range(0, 50), [150], [60, 70, 80]).outliers).toEqual([]); // ahead by little more than they overtake
  expect(boundsOf(range(0, 500).toReversed()).outliers).toEqual([]);
});

test('a known outlier stays one where it is sent again, and is a step once the others reach or pass it', () => {
  const known = boundsOf(range(0, 1_000), [1_500], range(1_000, 3));
  expect(extendBounds(known, [1_500])).toEqual(known);
  const near = extendBounds(known, range(1_003, 497));
  expect(placesOf(near)).toEqual({ first: 0, last: 1_499, outliers: [1_500] });
  for (const next of [1_500, 1_501]) {
    const reached = extendBounds(near, [next]);
    expect(placesOf(reached)).toEqual({ first: 0, last: next, outliers: [] });
    expect(isConfirmed(near, reached)).toBe(false);
  }
});

test('an outlier stays one however far the steps have come', () => {
  expect(boundsOf(range(0, 50), [HUGE], range(50, 150_000)).outliers).toEqual([HUGE]);
});

test('two wrong numbers, one after the other and each larger, are outliers both', () => {
  const wrong = [2_000, 90_000];
  expect(placesOf(boundsOf(range(0, 1_000), wrong, range(1_000, 9)))).toEqual({
    first: 0,
    last: 1_008,
    outliers: wrong,
  });
});

test('a step that is removed and brought back leaves the bounds as they were', () => {
  const known = boundsOf(range(0, 1_000), [1_500], range(1_000, 9));
  const removed = withoutStep(known, 1_500, { first: 0, last: 1_008 });
  expect(placesOf(removed)).toEqual({ first: 0, last: 1_008, outliers: [] });
  expect(withStep(removed, 1_500)).toEqual(known);
  const whole = boundsOf(range(0, 1_000));
  expect(withStep(withoutStep(whole, 999, { first: 0, last: 998 }), 999)).toEqual(whole);
});
