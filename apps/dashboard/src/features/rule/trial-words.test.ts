import type { Severity } from '@evenkeel/protocol';
import { STEP_RULE_NAMES, type StepRuleName } from '@evenkeel/stability';
import { expect, it } from 'vitest';
import type { TriedRun } from '../../trpc/client.tsx';
import { alertedWords, cutWords, hrefAround, rulesOf, trialWords } from './trial-words.ts';

const raised = (count: number, worst: Severity = 'warning') => ({
  ...{ count, alerts: [] },
  worst: count === 0 ? null : worst,
});
const NONE: TriedRun['rules'][StepRuleName] = { tried: raised(0), had: raised(0) };
const QUIET = Object.fromEntries(STEP_RULE_NAMES.map((rule) => [rule, NONE])) as TriedRun['rules'];

function aRun(tried: number, had: number, worst?: Severity, divergedAt: number | null = null): TriedRun {
  return {
    ...{ id: 'r', name: 'n', status: 'finished', startedAt: new Date(0), lastStep: 9, newestAttempt: 1 },
    ...{ divergedAt, triedFrom: null },
    rules: { ...QUIET, 'loss-spike': { tried: raised(tried, worst), had: raised(had) } },
  };
}

it.each<[runs: TriedRun[], words: string]>([
  [
    [aRun(2, 0), aRun(1, 1), aRun(0, 0)],
    'would have alerted in 2 of 3 runs, 1 more than it did: warning in 2 runs (none diverged)',
  ],
  [[aRun(0, 3), aRun(0, 1), aRun(0, 0)], 'would have alerted in none of 3 runs, 2 fewer than it did'],
  [[aRun(5, 0), aRun(0, 1)], 'would have alerted in 1 of 2 runs, as many as it did: warning in 1 run (none diverged)'],
  [
    [aRun(2, 2, 'critical', 7), aRun(2, 1, 'critical'), aRun(1, 1, 'warning', 8), aRun(0, 0)],
    'would have alerted in 3 of 4 runs, as many as it did: critical in 2 runs (1 diverged), warning in 1 run (1 diverged)',
  ],
  [[aRun(0, 0)], 'would have alerted in none of 1 run, and did in none'],
])('counts the runs that a rule would have alerted, not its alerts, beside those that it did', (runs, words) => {
  expect(trialWords('loss-spike', runs)).toBe(words);
});

it('sums up over all rules how many runs would have been alerted, and how many of them diverged', () => {
  const warned = aRun(1, 0, 'warning', 9);
  const both: TriedRun = {
    ...warned,
    rules: { ...warned.rules, 'non-finite': { tried: raised(1, 'critical'), had: raised(0) } },
  };
  expect(alertedWords([warned, both, aRun(0, 0), aRun(0, 0, undefined, 5)])).toBe(
    'critical alerts in 1 run (1 diverged); warnings alone in 1 run (1 diverged); no alert in 2 runs (1 diverged).',
  );
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
