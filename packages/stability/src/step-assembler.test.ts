import { expect, test } from 'vitest';
import type { Signals } from './signals.ts';
import { ASSEMBLY_MS, StepAssembler } from './step-assembler.ts';

const numbers = (steps: readonly Signals[]) => steps.map(({ step }) => step);
const whole = (step: number): Signals => ({ step, time: step, loss: 2, gradVar: 1 });

/** An assembler that knows what a step of its run carries. */
function settled(): StepAssembler {
  const assembler = new StepAssembler();
  assembler.resume([whole(-2), whole(-1)]);
  return assembler;
}

test('a whole step is complete when a later one has come', () => {
  const assembler = settled();
  assembler.add(whole(0), 0);
  expect(assembler.take(0)).toEqual([]);
  assembler.add(whole(1), 1);
  expect(numbers(assembler.take(1))).toEqual([0]);
});

test('a step waits two seconds for what others carry, then it is given as it is', () => {
  const assembler = settled();
  assembler.add({ step: 0, time: 0, loss: 2 }, 0);
  assembler.add(whole(1), 1);
  expect(assembler.due).toBe(ASSEMBLY_MS);
  expect(assembler.take(ASSEMBLY_MS - 1)).toEqual([]);
  expect(assembler.take(ASSEMBLY_MS)).toMatchObject([{ step: 0, loss: 2 }]);
});

test('parts of a step are merged in whatever order they come, its time is the earliest', () => {
  const assembler = settled();
  for (const part of [
    { step: 1, time: 9, gradVar: 1 },
    { step: 0, time: 5, gradVar: 7 },
    { step: 1, time: 8, loss: 4 },
  ])
    assembler.add(part, 0);
  assembler.add({ step: 0, time: 4, loss: 3 }, 0);
  expect(assembler.takeAll()).toMatchObject([
    { step: 0, time: 4, loss: 3, gradVar: 7 },
    { step: 1, time: 8, loss: 4, gradVar: 1 },
  ]);
});

test('steps behind a missing one wait for it', () => {
  const assembler = settled();
  for (const step of [1, 2, 3]) assembler.add(whole(step), step);
  expect(assembler.take(3)).toEqual([]);
  assembler.add(whole(0), 4);
  expect(numbers(assembler.take(4))).toEqual([0, 1, 2]);
});

test('a step is given once, and what comes of it later is reported late', () => {
  const assembler = settled();
  assembler.add(whole(0), 0);
  assembler.add(whole(1), 0);
  expect(numbers(assembler.take(0))).toEqual([0]);
  expect(assembler.add({ step: 0, gradVar: Number.NaN }, 1)).toBe(false);
  expect(numbers(assembler.takeAll())).toEqual([1]);
});

test('a signal that came late once is waited for from then on', () => {
  const assembler = new StepAssembler();
  assembler.resume([0, 1].map((step) => ({ step, loss: 2 })));
  for (const step of [2, 3]) assembler.add({ step, loss: 2 }, 0);
  expect(numbers(assembler.take(0))).toEqual([2]);
  assembler.add({ step: 2, gradVar: 1 }, 1);
  assembler.add({ step: 4, loss: 2 }, 1);
  expect(assembler.take(1)).toEqual([]);
  assembler.add({ step: 3, gradVar: 1 }, 2);
  expect(assembler.take(2)).toMatchObject([{ step: 3, loss: 2, gradVar: 1 }]);
});

test('memory is bounded: past so many waiting steps the first are given as they are', () => {
  const assembler = new StepAssembler();
  for (let step = 0; step < 10_000; step++) assembler.add(whole(step), 0);
  expect(assembler.take(0).length + 4_096).toBeGreaterThanOrEqual(10_000);
});

test('a clock that is set back does not hold steps', () => {
  const assembler = new StepAssembler();
  assembler.add(whole(0), 1_000_000);
  expect(assembler.take(0)).toEqual([]);
  expect(numbers(assembler.take(ASSEMBLY_MS))).toEqual([0]);
});
