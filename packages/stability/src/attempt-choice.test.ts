import { expect, test } from 'vitest';
import { type AttemptWish, chooseAttempt, isInert, isLaterLife, type KnownAttempt } from './attempt-choice.ts';

const attempt = (number: number, over: Partial<KnownAttempt> = {}): KnownAttempt => ({
  number,
  hasEnded: false,
  startedAt: 1_000 * number,
  startedAs: null,
  sessions: [],
  ...over,
});
const wish = (of: AttemptWish['attempt'], over: Partial<AttemptWish> = {}): AttemptWish => ({
  attempt: of,
  session: null,
  startedAt: 9_000,
  ...over,
});

test('a number is that attempt, known or not', () => {
  expect(chooseAttempt(wish(3), [])).toBe(3);
  expect(chooseAttempt(wish(1), [attempt(1), attempt(2)])).toBe(1);
});

test('next is one more than the newest, and the same again for the session that has it', () => {
  expect(chooseAttempt(wish('next', { session: 'a' }), [])).toBe(1);
  expect(chooseAttempt(wish('next', { session: 'a' }), [attempt(1), attempt(2)])).toBe(3);
  const later = [attempt(1), attempt(2, { sessions: ['a'], hasEnded: true }), attempt(3)];
  expect(chooseAttempt(wish('next', { session: 'a' }), later)).toBe(2);
});

test('resume is the newest where it has not ended, else the next', () => {
  expect(chooseAttempt(wish('resume'), [attempt(1), attempt(2)])).toBe(2);
  expect(chooseAttempt(wish('resume'), [attempt(1), attempt(2, { hasEnded: true })])).toBe(3);
});

test('a job that was queued again under a number keeps the attempt that was opened in its place', () => {
  const attempts = [attempt(1, { hasEnded: true }), attempt(2, { startedAs: 1, startedAt: 5_000 })];
  expect(chooseAttempt(wish(1, { startedAt: 5_000 }), attempts)).toBe(2);
  expect(chooseAttempt(wish(1, { startedAt: 1_000 }), attempts)).toBe(1);
});

test('only what began after the last step of an attempt that has ended is a later life', () => {
  const ended = attempt(1, { hasEnded: true });
  expect(isLaterLife(wish(1), ended, 8_000)).toBe(true);
  expect(isLaterLife(wish(1, { startedAt: 1_000 }), ended, 8_000)).toBe(false);
  expect(isLaterLife(wish(1, { startedAt: 1_000 }), ended, null)).toBe(false);
  expect(isLaterLife(wish(1), attempt(1), 8_000)).toBe(false);
});

test('steps of an attempt that had ended, or that a later one has followed, are stored and nothing more', () => {
  const ended = attempt(2, { hasEnded: true });
  expect([1, 2, 3].map((number) => isInert(number, [attempt(1), ended]))).toEqual([true, true, false]);
  expect([1, 2].map((number) => isInert(number, [attempt(1), attempt(2)]))).toEqual([true, false]);
  expect(isInert(1, [])).toBe(false);
});
