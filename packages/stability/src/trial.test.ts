import { expect, test } from 'vitest';
import type { RuleSettings } from './rules/settings.ts';
import type { Signals } from './signals.ts';
import { Trial } from './trial.ts';

const ONE = [{ number: 1, firstStep: 0, hasEnded: false }];

/** Losses that fall to 2, and are greater by 2 from a step on. */
function losses(from: number, until: number, rises: number): Signals[] {
  return Array.from({ length: until - from }, (_, at) => {
    const step = from + at;
    const learned = 2 + 3 * Math.exp(-step / 50) + 0.01 * (step % 2);
    return { step, loss: step >= rises ? learned + 2 : learned };
  });
}

function shown(steps: readonly Signals[], settings?: RuleSettings): Trial {
  const trial = new Trial(ONE, settings);
  for (const step of steps) trial.observe(1, step);
  return trial;
}

test('an alert is noted once, where it opened, with the worst that it became', () => {
  const { alerts } = shown(losses(0, 500, 400));
  expect(alerts).toEqual([{ rule: 'loss-spike', severity: 'critical', attempt: 1, step: 400 }]);
});

test('the settings of rules change what they find, and not whether the run has diverged', () => {
  const trial = shown(losses(0, 500, 400), { 'loss-spike': { enabled: false } });
  expect(trial.alerts).toEqual([]);
  // The median of 9 losses has risen with the fifth that did.
  expect(trial.divergedAt).toBe(404);
});

test('numbers that are not finite are a divergence, where they begin', () => {
  const steps = Array.from({ length: 20 }, (_, step) => ({ step, loss: step < 12 ? 2 : Number.NaN }));
  expect(shown(steps).divergedAt).toBe(12);
});

test('a divergence that a later attempt has rewound is none any more, a later one is', () => {
  const attempts = [
    { number: 1, firstStep: 0, hasEnded: true },
    { number: 2, firstStep: 300, hasEnded: true },
    { number: 3, firstStep: 550, hasEnded: false },
  ];
  const trial = new Trial(attempts);
  for (const step of losses(0, 500, 400)) trial.observe(1, step);
  expect(trial.divergedAt).toBe(404);
  for (const step of losses(300, 600, 560)) trial.observe(2, step);
  expect(trial.divergedAt).toBe(null);
  for (const step of losses(550, 650, 590)) trial.observe(3, step);
  expect(trial.divergedAt).toBe(594);
  expect(trial.alerts.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
});

test('settings of the rule that goes by the clock are passed over', () => {
  const steps = Array.from({ length: 50 }, (_, step) => ({ step, time: step < 40 ? step : 1e9 + step, loss: 2 }));
  expect(shown(steps, { stalled: { enabled: true, warningSeconds: 1 } }).alerts).toEqual([]);
});

test('a rise that is too young to be a divergence is one where the run has ended with it', () => {
  const diverged = (hasEnded: boolean) => {
    const trial = new Trial([{ number: 1, firstStep: 0, hasEnded }]);
    for (const step of losses(0, 420, 400)) trial.observe(1, step);
    return trial.divergedAt;
  };
  expect(diverged(false)).toBe(null);
  expect(diverged(true)).toBe(404);
});
