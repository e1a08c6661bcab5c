import { expect, test } from 'vitest';
import { learningRate, learningRateAhead, type Schedule } from './schedule.ts';

const PLAIN: Schedule = {
  ...{ kind: 'cosine', peak: 0.01, floor: 0.1, warmup: 4, steps: 13 },
  ...{ rampFrom: 6, rampFactor: 1.5, rampUntil: 13, restartEvery: 5 },
};

test('the warm-up grows in equal parts to the peak', () => {
  const rates = [0, 1, 2, 3].map((step) => learningRate(PLAIN, step));
  [0.0025, 0.005, 0.0075, 0.01].forEach((rate, step) => {
    expect(rates[step]).toBeCloseTo(rate, 12);
  });
});

test('the cosine goes from the peak over the middle to a tenth of the peak at the last step', () => {
  expect(learningRate(PLAIN, 4)).toBeCloseTo(0.01, 12);
  expect(learningRate(PLAIN, 8)).toBeCloseTo((0.01 + 0.001) / 2, 12);
  expect(learningRate(PLAIN, 12)).toBeCloseTo(0.001, 12);
});

test('the line goes to the same tenth, and is half-way there in the middle', () => {
  const linear: Schedule = { ...PLAIN, kind: 'linear' };
  expect(learningRate(linear, 3)).toBeCloseTo(0.01, 12);
  expect(learningRate(linear, 6)).toBeCloseTo(0.01 - 0.009 / 4, 12);
  expect(learningRate(linear, 12)).toBeCloseTo(0.001, 12);
});

test('with a floor of 0 the cosine and the line end at 0', () => {
  for (const kind of ['cosine', 'linear'] as const) {
    const toZero: Schedule = { ...PLAIN, kind, floor: 0 };
    expect(learningRate(toZero, 8)).toBeCloseTo(0.005, 12);
    expect(learningRate(toZero, 12)).toBe(0);
  }
});

test('a constant rate stays at the peak after its warm-up', () => {
  const constant: Schedule = { ...PLAIN, kind: 'constant' };
  expect(learningRate(constant, 0)).toBeCloseTo(0.0025, 12);
  for (const step of [3, 4, 8, 12]) expect(learningRate(constant, step)).toBeCloseTo(0.01, 12);
});

test('without a warm-up the first step has the peak', () => {
  expect(learningRate({ ...PLAIN, warmup: 0 }, 0)).toBeCloseTo(0.01, 12);
});

test('a run that ends within its warm-up has finite rates', () => {
  const rates = [0, 1, 2, 3].map((step) => learningRate({ ...PLAIN, steps: 4, warmup: 3 }, step));
  expect(rates.every((rate) => rate > 0 && rate <= 0.01)).toBe(true);
});

test('the ramp is the plain schedule up to its start, and from there on grows by its factor every step', () => {
  const ramp: Schedule = { ...PLAIN, kind: 'ramp' };
  for (let step = 0; step <= 6; step++) expect(learningRate(ramp, step)).toBe(learningRate(PLAIN, step));
  for (let step = 7; step < 13; step++) {
    expect(learningRate(ramp, step) / learningRate(ramp, step - 1)).toBeCloseTo(1.5, 12);
  }
});

test('a ramp that ends stays where it came to', () => {
  const ramp: Schedule = { ...PLAIN, kind: 'ramp', rampUntil: 9 };
  const before = learningRate(PLAIN, 6);
  expect([8, 9, 10, 12].map((step) => learningRate(ramp, step) / before)).toEqual([
    ...[expect.closeTo(1.5 ** 2, 12), expect.closeTo(1.5 ** 3, 12)],
    ...[expect.closeTo(1.5 ** 3, 12), expect.closeTo(1.5 ** 3, 12)],
  ]);
  const never: Schedule = { ...PLAIN, kind: 'ramp', rampUntil: 3 };
  expect(learningRate(never, 12)).toBe(before); // it ends before it begins
});

test('restarts go down along the cosine again and again, from the same peak', () => {
  const restarts: Schedule = { ...PLAIN, kind: 'restarts' };
  const rates = Array.from({ length: 13 }, (_, step) => learningRate(restarts, step));
  const cosine = [0, 1, 2, 3, 4].map((at) => 0.001 + 0.009 * ((1 + Math.cos((Math.PI * at) / 4)) / 2));
  const expected = [0.0025, 0.005, 0.0075, 0.01, ...cosine, ...cosine];
  rates.forEach((rate, step) => {
    expect(rate).toBeCloseTo(expected[step] ?? Number.NaN, 12);
  });
});

test('the rate ahead is that of 20 steps later, and near the end that of the last step', () => {
  const schedules: Schedule[] = [
    { ...PLAIN, steps: 60 },
    { ...PLAIN, steps: 60, kind: 'ramp', rampFactor: 1.01 },
    { ...PLAIN, steps: 60, kind: 'restarts' },
  ];
  for (const schedule of schedules) {
    for (const step of [0, 3, 17, 39])
      expect(learningRateAhead(schedule, step)).toBe(learningRate(schedule, step + 20));
    for (const step of [40, 59]) expect(learningRateAhead(schedule, step)).toBe(learningRate(schedule, 59));
  }
});
