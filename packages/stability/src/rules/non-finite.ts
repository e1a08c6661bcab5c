import type { Rule, Signals } from '../finding.ts';
import { WINDOW_STEPS } from '../finding.ts';
import { readable } from '../readable.ts';

const FIELDS = ['loss', 'tevMean', 'gradVar', 'gradNorm'] as const;
type Field = (typeof FIELDS)[number];

/** Loss, TEV, gradient variance or gradient norm is NaN or infinite. */
export const nonFinite: Rule = (history) => {
  const newest = history.at(-1);
  const broken = FIELDS.filter((field) => isNonFinite(newest?.[field]));
  if (!newest || broken.length === 0) return null;
  const values = broken.map((field) => `${field} is ${newest[field]}`).join(', ');
  const before = lastFinite(history, broken);
  const known = Object.entries(before).map(([field, value]) => `${field} ${readable(value)}`);
  return {
    rule: 'non-finite',
    severity: 'critical',
    step: newest.step,
    message: known.length > 0 ? `${values}; last finite: ${known.join(', ')}` : values,
    evidence: before,
  };
};

/** The newest finite value of each field that has one in the window. */
function lastFinite(history: readonly Signals[], fields: readonly Field[]): Partial<Record<Field, number>> {
  const window = history.slice(-1 - WINDOW_STEPS);
  const entries = fields.flatMap((field) => {
    const value = window.findLast((signals) => Number.isFinite(signals[field]))?.[field];
    return value == null ? [] : [[field, value] as const];
  });
  return Object.fromEntries(entries);
}

function isNonFinite(value: number | null | undefined): boolean {
  return value != null && !Number.isFinite(value);
}
