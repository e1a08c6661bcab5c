import { expect, test } from 'vitest';
import { divergedAt } from './divergence.ts';
import { DivergenceReplay } from './divergence-replay.ts';
import type { Signals } from './signals.ts';

/** Losses that fall to 2, and are greater by 2 from a step on. */
function losses(from: number, until: number, rises: number): Signals[] {
  return Array.from({ length: until - from }, (_, at) => {
    const step = from + at;
    return { step, loss: 2 + 3 * Math.exp(-step / 50) + (step >= rises ? 2 : 0) };
  });
}

test('each attempt has the divergence of the timeline as it left it', () => {
  const parts = [losses(0, 420, 400), losses(300, 600, 1_000), losses(550, 580, 560), losses(580, 640, 560)];
  const attempts = parts.map(([first], at) => ({ number: at + 1, firstStep: first?.step ?? 0, hasEnded: true }));
  const replay = new DivergenceReplay(attempts);
  for (const [at, steps] of parts.entries()) for (const step of steps) replay.observe(at + 1, step);
  // what each attempt had before it, put together by hand
  const [first = [], second = [], third = [], fourth = []] = parts;
  const before = first.filter(({ step }) => step < 300);
  const middle = second.filter(({ step }) => step < 550);
  const timelines = [first, [...before, ...second], [...before, ...middle, ...third]];
  const last = [...before, ...middle, ...third, ...fourth];
  expect([...replay.onsets()]).toEqual([...timelines, last].map((steps, at) => [at + 1, divergedAt(steps)]));
  expect([...replay.onsets().values()].map((onset) => onset !== null)).toEqual([true, false, true, true]);
});

test('an attempt that goes on has not diverged before that is certain', () => {
  const replay = new DivergenceReplay([{ number: 1, firstStep: 0, hasEnded: false }]);
  for (const step of losses(0, 420, 400)) replay.observe(1, step);
  expect([...replay.onsets()]).toEqual([[1, null]]);
});
