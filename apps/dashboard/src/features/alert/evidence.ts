import type { Alert } from '@evenkeel/protocol';
import { type EvidenceFormat, RULES, type Rule } from '@evenkeel/stability';
import { formatCount, formatDuration, formatExact, formatNumber } from '../../components/format.ts';

/** A number behind an alert, in words. */
export interface Fact {
  name: string;
  value: string;
  /** Every digit. */
  exact: string;
}

const FORMATS: Record<EvidenceFormat, (value: number) => string> = {
  number: (value) => formatNumber(value),
  count: (value) => formatCount(value),
  steps: (value) => `${Number.isInteger(value) ? formatCount(value) : formatNumber(value)} steps`,
  seconds: (value) => formatDuration(1_000 * value),
  times: (value) => `× ${formatNumber(value)}`,
  'log times': (value) => `× ${formatNumber(Math.exp(value))}`,
  'log growth': (value) => `${formatNumber(100 * Math.expm1(value))} % a step`,
  'yes or no': (value) => (value > 0 ? 'yes' : 'no'),
};

/** The words of all rules: where two use a name, they mean the same. */
const WORDS: Rule['evidence'] = Object.assign({}, ...RULES.map(({ evidence }) => evidence));

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
    const [label, format] = WORDS[name] ?? [name, 'number'];
    facts.push(fact(label, FORMATS[format](value), value));
  }
  return facts;
}

function fact(name: string, value: string, exact: number): Fact {
  return { name, value, exact: formatExact(exact) };
}
