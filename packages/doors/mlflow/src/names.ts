import type { ClientRun, LatestValues, StepColumn } from '@evenkeel/db';
import { EVAL_LOSS, SCALAR_FIELDS, type StepScalar } from '@evenkeel/protocol';

const FIELDS: ReadonlySet<string> = new Set(SCALAR_FIELDS.map(({ name }) => name));

/** What a run has stored under the name that its client gives it, or that Evenkeel has: the field first. */
export function columnsOf(names: ClientRun['names'], key: string): StepColumn[] {
  const target = Object.entries(names).find(([, name]) => name === key)?.[0] ?? key;
  const own: StepColumn[] = [{ custom: key }];
  if (FIELDS.has(target)) return [{ field: target as StepScalar }, ...own];
  return target === EVAL_LOSS && key !== EVAL_LOSS ? [{ custom: EVAL_LOSS }, ...own] : own;
}

/** The newest values of a run by the names that its client gives them. */
export function byClientNames(names: ClientRun['names'], { fields, custom }: LatestValues) {
  const named = new Map(custom);
  const evalName = names[EVAL_LOSS];
  const evalLoss = custom.get(EVAL_LOSS);
  if (evalName !== undefined && evalLoss) {
    named.delete(EVAL_LOSS);
    named.set(evalName, evalLoss);
  }
  for (const [field, value] of fields) named.set(names[field as StepScalar] ?? field, value);
  return named;
}
