import { expect, it } from 'vitest';
import type { ForecastPoint, RunDetail } from '../../trpc/client.tsx';
import { aheadOf, withNewest } from './use-forecast.ts';

const point = (step: number, risk: number): ForecastPoint => ({
  ...{ step, risk, divergenceStep: null, divergenceInterval: null },
});
const run = (over: Partial<RunDetail>) =>
  ({
    status: 'running',
    lastStep: 90,
    risk: 0.7,
    divergenceStep: 150,
    divergenceInterval: [120, 190],
    ...over,
  }) as RunDetail;

it('goes on to what the run says now, where that is news', () => {
  const read = [point(10, 0.1), point(40, 0.3)];
  expect(withNewest(read, run({})).map(({ step, risk }) => [step, risk])).toEqual([
    [10, 0.1],
    [40, 0.3],
    [90, 0.7],
  ]);
  expect(withNewest(read, run({ risk: 0.3 }))).toEqual(read);
  expect(withNewest(read, run({ lastStep: 40 }))).toEqual(read);
  expect(withNewest(read, run({ risk: null }))).toEqual(read);
  expect(withNewest([], run({ lastStep: -7 }))).toMatchObject([{ step: -7 }]);
  expect(withNewest([], run({}))).toMatchObject([{ step: 90, risk: 0.7, divergenceStep: 150 }]);
});

it('looks ahead of a run that goes on, and of no other', () => {
  expect(aheadOf(run({}))).toEqual({ step: 150, interval: [120, 190] });
  expect(aheadOf(run({ lastStep: -9, divergenceStep: -2 }))).toMatchObject({ step: -2 });
  expect(aheadOf(run({ status: 'stopped' }))).toBeNull();
  expect(aheadOf(run({ lastStep: 150 }))).toBeNull();
  expect(aheadOf(run({ divergenceStep: null }))).toBeNull();
});
