import type { Alert } from '@evenkeel/protocol';
import { formatCount, formatDuration, formatExact, formatNumber } from '../../format.ts';

/** A number behind an alert, in words. */
export interface Fact {
  name: string;
  value: string;
  /** Every digit. */
  exact: string;
}

type Words = readonly [name: string, format: (value: number) => string];

const number = (value: number) => formatNumber(value);
const count = (value: number) => formatCount(value);
const times = (value: number) => `× ${formatNumber(value)}`;
const percentAStep = (value: number) => `${formatNumber(100 * Math.expm1(value))} % a step`;
const seconds = (value: number) => formatDuration(1_000 * value);

/** What rules call their numbers (packages/stability/src/rules), and what a person does. */
const WORDS: Record<string, Words> = {
  exponent: ['TEV grows as the step to the power of', number],
  excess: ['TEV beyond proportion to the step', (value) => times(Math.exp(value))],
  rate: ['TEV grows by', percentAStep],
  doublingSteps: ['TEV doubles every', (value) => `${formatNumber(value)} steps`],
  accelerates: ['growth accelerates', (value) => (value > 0 ? 'yes' : 'no')],
  agreement: ['agreement of micro-batches', (value) => times(Math.exp(value))],
  speed: ['TEV over the last 8 steps', percentAStep],
  acceleration: ['its change a step', (value) => times(Math.exp(value))],
  steps: ['seen over', (value) => `${formatCount(value)} steps`],
  lrRatio: ['learning rate', times],
  gradVarRatio: ['gradient variance', times],
  gradVar: ['gradient variance', number],
  gradVarBefore: ['before', number],
  sigmas: ['standard deviations', number],
  loss: ['loss', number],
  mean: ['mean before', number],
  std: ['standard deviation before', number],
  losses: ['losses before', count],
  level: ['loss, median of 9', number],
  best: ['its best', number],
  first: ['its first', number],
  since: ['since step', count],
  tevMean: ['TEV', number],
  gradNorm: ['gradient norm', number],
  silentSeconds: ['silent for', seconds],
  longestWaitSeconds: ['longest wait before', seconds],
};

/** The database keeps no order of them. */
const ORDER = Object.keys(WORDS);

/** What an alert saw: risk and forecast first, then the window, then the rule's own numbers. */
export function factsOf({ risk, divergenceStep, window, evidence }: Alert): Fact[] {
  const facts: Fact[] = [];
  if (risk !== null) facts.push(fact('risk within 100 steps', `${Math.round(100 * risk)} %`, risk));
  if (risk !== null && divergenceStep !== null)
    facts.push(fact('divergence expected at step', formatCount(divergenceStep), divergenceStep));
  const [first, last] = window;
  if (last > first)
    facts.push({
      name: 'saw steps',
      value: `${formatCount(first)} – ${formatCount(last)}`,
      exact: `${first} to ${last}`,
    });
  const names = Object.keys(evidence).sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
  for (const name of names) {
    const value = evidence[name] as number;
    const [words, format] = WORDS[name] ?? [name, number];
    facts.push(fact(words, format(value), value));
  }
  return facts;
}

function fact(name: string, value: string, exact: number): Fact {
  return { name, value, exact: formatExact(exact) };
}
