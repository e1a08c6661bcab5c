import { expect, test } from 'vitest';
import { Attempts } from './attempts.ts';
import type { Found } from './format.ts';

const FILE = 'file';

/** A row of one value. */
const row = (step: number, time: number, name = 'loss'): Found => ({ kind: 'row', step, time, values: { [name]: 1 } });
const END: Found = { kind: 'end', status: 'failed', reason: null, endedAt: null };

/** The attempt of each row. */
function attemptsOf(...all: (Found | typeof FILE)[]): number[] {
  const attempts = new Attempts();
  const numbers: number[] = [];
  for (const found of all) {
    if (found === FILE) attempts.nextFile();
    else {
      attempts.see(found);
      if (found.kind === 'row') numbers.push(attempts.number);
    }
  }
  return numbers;
}

test('a purge begins the next attempt, unless nothing came before it', () => {
  expect(attemptsOf({ kind: 'attempt' }, row(0, 1), { kind: 'attempt' }, row(0, 2), row(1, 3))).toEqual([1, 2, 2]);
});

test('so does what follows an end', () => {
  expect(attemptsOf(row(0, 1), END, FILE, row(1, 2), END, END)).toEqual([1, 2]);
});

test('so does a later file that reports a name again at an earlier step', () => {
  expect(attemptsOf(FILE, row(1, 1), row(9, 2), FILE, row(5, 3), row(6, 4), FILE, row(6, 5))).toEqual([1, 1, 2, 2, 3]);
});

test('steps out of order in one file, other names, and the next steps are no rewind', () => {
  expect(attemptsOf(row(50, 1), row(10, 2), row(51, 3))).toEqual([1, 1, 1]);
  expect(attemptsOf(row(9, 1), FILE, row(5, 2, 'test'), row(10, 3), row(9, 4))).toEqual([1, 1, 1, 2]);
});

test('files that two programs write at the same time are one attempt, and so is a constant at step 0', () => {
  expect(attemptsOf(row(1, 1), row(9, 9), FILE, row(1, 2), row(9, 8))).toEqual([1, 1, 1, 1]);
  expect(attemptsOf(row(0, 1), row(9, 9), FILE, row(0, 10))).toEqual([1, 1, 1]);
});
