import { expect, test } from 'vitest';
import { labelOf } from './label.ts';

const label = (losses: readonly number[], entropy: number | null = 4.5) =>
  labelOf(
    losses.map((loss, step) => ({ step, loss })),
    entropy,
  );

/** Learns from 6 down to 3 over 100 losses, and rests there for 100; what `change` makes of each. */
const learning = (change: (loss: number, at: number) => number = (loss) => loss) =>
  Array.from({ length: 200 }, (_, at) => change(6 - 3 * Math.min(1, at / 100), at));

/** A rise by some nats for so many steps. */
const wave = (nats: number, steps = 20) => learning((loss, at) => (at >= 120 && at < 120 + steps ? loss + nats : loss));

test('a run that learns is healthy, also with some bad batches or a small rise', () => {
  expect(label(learning())).toEqual({ verdict: 'healthy', onset: null });
  expect(label(learning((loss, at) => (at >= 120 && at < 124 ? 50 : loss))).verdict).toBe('healthy');
  expect(label(wave(0.74)).verdict).toBe('healthy');
  expect(label(wave(4, 14)).verdict).toBe('healthy');
  expect(label(wave(4, 15)).verdict).toBe('hurt');
});

test('one that loses a quarter of what it had learned and comes back is hurt', () => {
  expect(label(wave(0.76))).toEqual({ verdict: 'hurt', onset: null });
  expect(label(wave(4)).verdict).toBe('hurt');
});

test('a quarter of little is no harm', () => {
  const little = (nats: number) =>
    Array.from({ length: 100 }, (_, at) => 4 - 0.1 * Math.min(1, at / 50) + (at >= 60 && at < 80 ? nats : 0));
  expect(label(little(0.29)).verdict).toBe('healthy');
  expect(label(little(0.31)).verdict).toBe('hurt');
});

test('one that ends no better than the unigram entropy is stuck, where that is known', () => {
  const flat = Array.from({ length: 100 }, () => 5.9);
  expect(label(flat)).toEqual({ verdict: 'stuck', onset: null });
  expect(label(flat, 5.9).verdict).toBe('stuck');
  expect(label(flat, 6).verdict).toBe('healthy');
  expect(label(flat, null).verdict).toBe('healthy');
  expect(label([]).verdict).toBe('healthy');
});

test('one that loses half of it for good has diverged, whatever else holds', () => {
  expect(label(learning((loss, at) => (at >= 120 ? 5 : loss)))).toEqual({ verdict: 'diverged', onset: 124 });
  expect(label([6, 5, Number.NaN])).toEqual({ verdict: 'diverged', onset: 2 });
});
