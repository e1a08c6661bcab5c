import type { StepEvent } from '@evenkeel/protocol';
import { expect, it } from 'vitest';
import { columnsOf, mergeSteps } from './tail.ts';

const steps = (...numbers: number[]): StepEvent[] => numbers.map((step) => ({ step, time: 0, loss: step }));
const numbers = (events: readonly StepEvent[]) => events.map(({ step }) => step);

it('appends what follows', () => {
  expect(numbers(mergeSteps(steps(1, 2), steps(3, 4)))).toEqual([1, 2, 3, 4]);
});

it('puts late steps in their place and keeps the later report of a repeated one', () => {
  const merged = mergeSteps(steps(1, 2, 5), [{ step: 2, time: 0, loss: 99 }, ...steps(3)]);
  expect(numbers(merged)).toEqual([1, 2, 3, 5]);
  expect(merged[1]?.loss).toBe(99);
});

it('sorts a batch that is not in order', () => {
  expect(numbers(mergeSteps([], steps(3, 1, 2, 2)))).toEqual([1, 2, 3]);
});

it('groups steps by column and starts after what was already read', () => {
  const columns = columnsOf(steps(60, 63, 64, 65, 127, 128), 64, 62);
  expect(columns.map(({ start, steps: held }) => [start, numbers(held)])).toEqual([
    [63, [63]],
    [64, [64, 65, 127]],
    [128, [128]],
  ]);
});
