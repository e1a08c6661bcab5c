import { expect, it } from 'vitest';
import { addSample, type PaceSample, stepsPerSecond } from './pace.ts';

function stream(count: number, everyMs: number, stepsEach = 1): readonly PaceSample[] {
  let samples: readonly PaceSample[] = [];
  for (let i = 0; i < count; i++) samples = addSample(samples, i * stepsEach, i * everyMs);
  return samples;
}

it('knows nothing before the second sample', () => {
  expect(stepsPerSecond([], 0)).toBeNull();
  expect(stepsPerSecond(stream(1, 1000), 0)).toBeNull();
});

it('counts steps a second over the last ten seconds and keeps few samples', () => {
  const samples = stream(10_000, 50, 2); // 40 steps a second for 500 s
  expect(stepsPerSecond(samples, 10_000 * 50)).toBeCloseTo(40, 5);
  expect(samples.length).toBeLessThan(30);
});

it('measures a run slower than the window', () => {
  expect(stepsPerSecond(stream(5, 30_000), 4 * 30_000)).toBeCloseTo(1 / 30, 10);
});

it('starts again when a run rewinds', () => {
  expect(addSample(stream(20, 1000), 3, 20_000)).toEqual([{ at: 20_000, step: 3 }]);
});

it('falls while nothing comes', () => {
  const samples = stream(10, 1000);
  expect(stepsPerSecond(samples, 9_000)).toBe(1);
  expect(stepsPerSecond(samples, 90_000)).toBe(0.1);
});
