import { expect, test } from 'vitest';
import { numberOf, type Reading, readMetric, rowsOf } from './metrics.ts';
import { StepCounter, type StoredMetric } from './step-counter.ts';

test.each([
  [1.5, 1.5],
  ['1.5', 1.5],
  ['-1e-300', -1e-300],
  ['.5', 0.5],
  ['NaN', Number.NaN],
  ['nan', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['+inf', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['', null],
  ['0x10', null],
  ['one', null],
  ['constructor', null],
  [null, null],
  [true, null],
  [{}, null],
])('the value %j means %s', (sent, meant) => {
  expect(numberOf(sent)).toEqual(meant);
});

test('a metric without step is of step 0; one with another kind of step is of none, and is left out where it is stored', () => {
  const sent = { key: 'loss', value: 1, timestamp: 5 };
  expect(readMetric(sent)).toEqual({ ...sent, step: 0 });
  expect(readMetric({ ...sent, step: '7' })?.step).toBe(7);
  expect(readMetric({ ...sent, step: 1.5 })?.step).toBe(1.5);
  expect(readMetric({ ...sent, step: 'last' })?.step).toBeNaN();
  expect(readMetric({ ...sent, value: 'high' })).toBeNull();
});

const reading = (key: string, value: number, step: number, timestamp: number | null): Reading => ({
  key,
  value,
  step,
  timestamp,
});

test('a row holds what is of one step, of one metric the value with the newest timestamp', () => {
  expect(
    rowsOf([
      reading('a', 1, 3, 20),
      reading('b', 2, 4, 10),
      reading('a', 3, 3, 10),
      reading('b', 4, 3, 30),
      reading('b', 5, 3, 30),
    ]),
  ).toEqual([
    { step: 3, time: 10, custom: { a: 1, b: 5 } },
    { step: 4, time: 10, custom: { b: 2 } },
  ]);
});

test('a long text that begins as a number is none at once', () => {
  expect(numberOf(`${'1'.repeat(1_000_000)}x`)).toBe(null);
});

const NOTHING = () => null;
const stepsOf = (counter: StepCounter, ...readings: Reading[]) => counter.place(readings).map(({ step }) => step);

test('a metric that is logged without a step again and again gets steps of its own count', () => {
  const counter = new StepCounter(NOTHING);
  expect(stepsOf(counter, reading('a', 5, 0, 1))).toEqual([0]);
  expect([...counter.counted]).toEqual([]);
  expect(stepsOf(counter, reading('a', 5, 0, 2), reading('b', 5, 0, 2))).toEqual([1, 0]);
  expect(stepsOf(counter, reading('a', 4, 0, 2))).toEqual([2]);
  expect([...counter.counted]).toEqual(['a']);
});

test('a request that is sent again changes no count', () => {
  const counter = new StepCounter(NOTHING);
  for (const again of [1, 2]) {
    expect([again, ...stepsOf(counter, reading('a', 1, 0, 1), reading('a', 2, 0, 2))]).toEqual([again, 0, 1]);
  }
});

test('a request of many values that is sent again changes no count', () => {
  const counter = new StepCounter(NOTHING);
  const values = Array.from({ length: 1_000 }, (_, at) => reading('a', at, 0, at));
  const steps = values.map((_, at) => at);
  for (const again of [1, 2]) expect([again, ...stepsOf(counter, ...values)]).toEqual([again, ...steps]);
});

test('a request that is sent again after a restart changes no count, whether or not its values were stored', () => {
  const values = [3, 3, 2, 1].map((value, at) => reading('a', value, 0, at));
  const request = [...values, reading('b', 5, 0, 9), reading('c', 1, 7, 9)];
  const first = new StepCounter(NOTHING);
  first.place([reading('a', 4, 0, -1), reading('b', 6, 0, -1)]);
  const placed = first.place(request);
  const kept = first.requestOf(request, placed);
  const steps = [1, 2, 3, 4, 1, 7];
  expect(placed.map(({ step }) => step)).toEqual(steps);
  for (const stored of [0, 4]) {
    const after = new StepCounter(
      (key) => (key === 'c' ? null : { step: key === 'a' ? stored : Math.min(stored, 1), value: 1, isCounted: true }),
      kept ? [kept] : [],
    );
    expect([stored, ...stepsOf(after, ...request)]).toEqual([stored, ...steps]);
    expect([stored, ...stepsOf(after, reading('a', 1, 0, 20))]).toEqual([stored, 5]);
  }
});

test('a metric that has steps keeps them, in whatever order they come', () => {
  const counter = new StepCounter(NOTHING);
  expect(stepsOf(counter, reading('a', 1, 7, 1), reading('a', 1, 0, 2), reading('a', 1, 0, 3))).toEqual([7, 0, 0]);
  expect(stepsOf(counter, reading('b', 1, 0, 1))).toEqual([0]);
  expect(stepsOf(counter, reading('b', 1, 1, 2), reading('b', 2, 0, 3))).toEqual([1, 0]);
});

test('after a restart the count goes on behind what is stored', () => {
  const stored: Record<string, StoredMetric> = {
    counted: { step: 9, value: 3, isCounted: true },
    once: { step: 0, value: 3, isCounted: false },
    stepped: { step: 9, value: 3, isCounted: false },
  };
  const counter = new StepCounter((key) => stored[key] ?? null);
  expect(stepsOf(counter, reading('counted', 3, 0, 50), reading('counted', 2, 0, 60))).toEqual([9, 10]);
  expect(stepsOf(counter, reading('once', 3, 0, 50), reading('once', 4, 0, 60))).toEqual([0, 1]);
  expect(stepsOf(counter, reading('stepped', 3, 0, 50), reading('stepped', 4, 0, 60))).toEqual([0, 0]);
  expect([...counter.counted]).toEqual(['counted', 'once']);
});
