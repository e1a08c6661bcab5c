import { expect, it } from 'vitest';
import { furthestStep, supersededSteps } from './superseded.ts';

const attempt = (number: number, firstStep: number | null, lastStep: number | null) => ({
  number,
  firstStep,
  lastStep,
});

it('is what older attempts have beyond the first step of any later one, with the step where they part', () => {
  expect(supersededSteps([attempt(1, 0, 99), attempt(2, 50, 80), attempt(3, 70, 120)])).toEqual([
    { attempt: 2, from: 69, to: 80 },
    { attempt: 1, from: 49, to: 99 },
  ]);
});

it('is nothing where an attempt goes on after the last step of the one before, or has sent none', () => {
  expect(supersededSteps([attempt(1, 0, 99), attempt(2, 100, 200), attempt(3, null, null)])).toEqual([]);
  expect(supersededSteps([])).toEqual([]);
});

it('is the whole of an attempt that a later one began before', () => {
  expect(supersededSteps([attempt(1, 10, 20), attempt(2, 0, 5)])).toEqual([{ attempt: 1, from: 10, to: 20 }]);
});

it('the furthest step may be one of an attempt that was rewound', () => {
  expect(furthestStep([attempt(1, 0, 400), attempt(2, 280, 310), attempt(3, null, null)])).toBe(400);
  expect(furthestStep([attempt(1, -9, -2), attempt(2, null, null)])).toBe(-2);
  expect(furthestStep([])).toBe(Number.NEGATIVE_INFINITY);
});
