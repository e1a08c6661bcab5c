import { describe, expect, it } from 'vitest';
import { formatTick, linearTicks, logTicks, stepTicks, timeTicks } from './ticks.ts';

describe('logTicks', () => {
  it('takes every digit where they fit, and even distances within an octave', () => {
    expect(logTicks(3.5, 8.2, 6)).toEqual([4, 5, 6, 7, 8]);
    expect(logTicks(4.1, 5.25, 6)).toEqual([4.2, 4.4, 4.6, 4.8, 5, 5.2]);
  });
  it('takes 1, 2 and 5 where those fit', () => {
    expect(logTicks(0.9, 60, 8)).toEqual([1, 2, 5, 10, 20, 50]);
  });
  it('thins out over many decades', () => {
    expect(logTicks(1e-12, 1e12, 5).length).toBeLessThanOrEqual(6);
    expect(logTicks(1e-3, 1e3, 7)).toEqual([1e-3, 1e-2, 0.1, 1, 10, 100, 1000]);
  });
  it('finds some, and labels each its own way, however far a diverging run spans', () => {
    for (const [low, high] of [
      [1e-8, 1e38],
      [1e-300, 1e300],
      [3e22, 9e36],
    ] as const) {
      const ticks = logTicks(low, high, 6);
      expect(ticks.length).toBeGreaterThanOrEqual(3);
      expect(ticks.length).toBeLessThanOrEqual(7);
      expect(new Set(ticks.map((tick) => formatTick(tick, tick))).size).toBe(ticks.length);
    }
  });
});

it('linear ticks are evenly apart at any size', () => {
  expect(linearTicks(0, 10.6, 6)).toEqual([0, 2, 4, 6, 8, 10]);
  expect(linearTicks(-1.2, 1.2, 6)).toEqual([-1, -0.5, 0, 0.5, 1]);
  expect(linearTicks(0, 1.06e35, 6)).toEqual([0, 2e34, 4e34, 6e34, 8e34, 1e35]);
});

it.each([
  [0, 1, '0'],
  [3, 0.5, '3'],
  [3.5, 0.5, '3.5'],
  [0.0215, 0.0005, '0.0215'],
  [0.1325, 0.0025, '0.1325'],
  [12_000, 2_000, '12k'],
  [5, 0.20000000000000018, '5'],
  [12_500, 500, '12.5k'],
  [0.0002, 0.0001, '2e-4'],
  [1_000_000, 200_000, '1M'],
])('the tick %d at increments of %d is %s', (value, increment, text) => {
  expect(formatTick(value, increment)).toBe(text);
});

it('labels whole steps', () => {
  expect(stepTicks(0, 3, 6)).toEqual({ ticks: [0, 1, 2, 3], increment: 1 });
  expect(stepTicks(950, 2100, 6)).toEqual({ ticks: [1000, 1200, 1400, 1600, 1800, 2000], increment: 200 });
});

it('timeTicks counts in the spans that people count time in', () => {
  const minutes = (...all: number[]) => all.map((each) => each * 60_000);
  expect(timeTicks(0, 3_600_000, 5)).toEqual(minutes(0, 15, 30, 45, 60));
  expect(timeTicks(3_500_000, 9 * 3_600_000, 5)).toEqual(minutes(120, 240, 360, 480));
  expect(timeTicks(0, 20_000, 5)).toEqual([0, 5_000, 10_000, 15_000, 20_000]);
  for (const days of [1, 30, 400, 40_000]) expect(timeTicks(0, days * 86_400_000, 6).length).toBeLessThanOrEqual(7);
});
