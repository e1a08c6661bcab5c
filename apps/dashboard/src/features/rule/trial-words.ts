import { SEVERITIES } from '@evenkeel/protocol';
import { STEP_RULE_NAMES, type StepRuleName } from '@evenkeel/stability';
import { formatCount } from '../../components/format.ts';
import type { TriedRun } from '../../trpc/client.tsx';

/** Steps on either side of an alert that are shown with it: what led to it, and what came of it. */
const BEFORE = 150;
const AFTER = 100;

/** `would have alerted in 3 of 20 runs, 1 more than it did: critical in 2 runs (2 diverged), warning in 1 run (none diverged)` */
export function trialWords(rule: StepRuleName, runs: readonly TriedRun[]): string {
  const worst = SEVERITIES.toReversed().flatMap((severity) => {
    const alerted = runs.filter(({ rules }) => rules[rule].tried.worst === severity);
    return alerted.length === 0 ? [] : `${severity} in ${divergedWords(alerted)}`;
  });
  return [comparedWords(rule, runs), ...(worst.length > 0 ? [worst.join(', ')] : [])].join(': ');
}

/** `critical alerts in 3 runs (2 diverged); warnings alone in 1 run (none diverged); …`: by the worst that any rule would have raised in each. */
export function alertedWords(runs: readonly TriedRun[]): string {
  const worstOf = ({ rules }: TriedRun) =>
    SEVERITIES.findLast((severity) => STEP_RULE_NAMES.some((rule) => rules[rule].tried.worst === severity)) ?? null;
  const groups = [...SEVERITIES.toReversed(), null].flatMap((severity) => {
    const alerted = runs.filter((run) => worstOf(run) === severity);
    return alerted.length === 0 ? [] : `${GROUP_WORDS[severity ?? 'none']} ${divergedWords(alerted)}`;
  });
  return `${groups.join('; ')}.`;
}

const GROUP_WORDS = { critical: 'critical alerts in', warning: 'warnings alone in', none: 'no alert in' };

/** `3 runs (2 diverged)` */
function divergedWords(runs: readonly TriedRun[]): string {
  const diverged = runs.filter(({ divergedAt }) => divergedAt !== null).length;
  return `${runsWords(runs.length)} (${diverged === 0 ? 'none' : formatCount(diverged)} diverged)`;
}

function comparedWords(rule: StepRuleName, runs: readonly TriedRun[]): string {
  const count = (of: 'tried' | 'had') => runs.filter(({ rules }) => rules[rule][of].count > 0).length;
  const tried = count('tried');
  const more = tried - count('had');
  const found = `would have alerted in ${tried === 0 ? 'none' : tried} of ${runsWords(runs.length)}`;
  if (more === 0) return `${found}, ${tried === 0 ? 'and did in none' : 'as many as it did'}`;
  return `${found}, ${Math.abs(more)} ${more > 0 ? 'more' : 'fewer'} than it did`;
}

/** Whether a rule can be tried on recorded steps. */
export function isTriable(rule: string): rule is StepRuleName {
  return STEP_RULE_NAMES.some((name) => name === rule);
}

/** The rules by which a run was alerted, or would have been. */
export function rulesOf({ rules }: TriedRun, of: 'tried' | 'had'): StepRuleName[] {
  return STEP_RULE_NAMES.filter((rule) => rules[rule][of].count > 0);
}

/** A run's page, zoomed to a step. */
export function hrefAround(run: string, step: number): string {
  return `/runs/${run}?from=${Math.max(0, step - BEFORE)}&to=${step + AFTER}`;
}

/** Where what was tried of a run begins; null where that is its first step. */
export function cutWords({ triedFrom }: TriedRun, maxSteps: number): string | null {
  if (!triedFrom) return null;
  return `tried on its newest ${formatCount(maxSteps)} steps, from step ${formatCount(triedFrom.step)} on`;
}

export function runsWords(runs: number): string {
  return `${formatCount(runs)} ${runs === 1 ? 'run' : 'runs'}`;
}
