import { STEP_RULE_NAMES, type StepRuleName } from '@evenkeel/stability';
import { expect, it } from 'vitest';
import type { TriedRun } from '../../trpc/client.tsx';
import { cutWords, hrefAround, rulesOf, trialWords } from './trial-words.ts';

const raised = (count: number) => ({ count, alerts: [] });
const NONE: TriedRun['rules'][StepRuleName] = { tried: raised(0), had: raised(0) };
const QUIET = Object.fromEntries(STEP_RULE_NAMES.map((rule) => [rule, NONE])) as TriedRun['rules'];

function aRun(tried: number, had: number): TriedRun {
  return {
    ...{ id: 'r', name: 'n', status: 'finished', startedAt: new Date(0), lastStep: 9, newestAttempt: 1 },
    ...{ divergedAt: null, triedFrom: null },
    rules: { ...QUIET, 'loss-spike': { tried: raised(tried), had: raised(had) } },
  };
}

it.each<[runs: TriedRun[], words: string]>([
  [[aRun(2, 0), aRun(1, 1), aRun(0, 0)], 'would have alerted in 2 of 3 runs, 1 more than it did'],
  [[aRun(0, 3), aRun(0, 1), aRun(0, 0)], 'would have alerted in none of 3 runs, 2 fewer than it did'],
  [[aRun(5, 0), aRun(0, 1)], 'would have alerted in 1 of 2 runs, as many as it did'],
  [[aRun(0, 0)], 'would have alerted in none of 1 run, and did in none'],
])('counts the runs that a rule would have alerted, not its alerts, beside those that it did', (runs, words) => {
  expect(trialWords('loss-spike', runs)).toBe(words);
});

it('names the rules that found something', () => {
  expect(rulesOf(aRun(2, 0), 'tried')).toEqual(['loss-spike']);
  expect(rulesOf(aRun(2, 0), 'had')).toEqual([]);
});

it('leads to the steps around an alert, of which none lies before the first', () => {
  expect(hrefAround('r', 1_000)).toBe('/runs/r?from=850&to=1100');
  expect(hrefAround('r', 7)).toBe('/runs/r?from=0&to=107');
});

it('says where a run is cut', () => {
  expect(cutWords(aRun(0, 0), 10)).toBeNull();
  expect(cutWords({ ...aRun(0, 0), triedFrom: { attempt: 1, step: 5_000 } }, 200_000)).toBe(
    'tried on its newest 200,000 steps, from step 5,000 on',
  );
});
