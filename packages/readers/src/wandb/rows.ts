import type { Found } from '../format.ts';
import type { Losses } from '../losses.ts';
import { numberIn } from '../python-json.ts';
import { setValue } from '../set-value.ts';
import type { History, StepMetric } from './record.ts';

type Row = Extract<Found, { kind: 'row' }>;

/** Where frameworks put the number of the optimizer update; W&B's own count is one of calls of `log`. */
const STEP_NAMES = ['train/global_step', 'trainer/global_step'];
/** What W&B adds to every row. */
const OWN_NAMES = new Set(['_step', '_timestamp', '_runtime']);

/**
 * The values of a row of W&B's history, by their steps: one row for each step metric that is used in it. Keys of nested
 * dictionaries are joined by dots, as W&B shows them.
 */
export function rowsOf({ step, items }: History, rules: readonly StepMetric[], losses: Losses): Row[] {
  const numbers = new Map<string, number>();
  const others = new Set<string>();
  for (const { path, json } of items) {
    const value = numberIn(json);
    if (value !== null) numbers.set(path.join('.'), value);
    else if (json !== 'null') others.add(path[0] ?? '');
  }
  if (others.size > 0) losses.add('values', 'no numbers: text, lists, histograms, media', others.size);
  const time = numbers.get('_timestamp') ?? Number.NaN;
  return groupByStep(numbers, rules, numbers.get('_step') ?? step).map(([at, values]) => ({
    kind: 'row',
    step: at,
    time: Number.isFinite(time) ? Math.round(time * 1_000) : null,
    values,
  }));
}

function groupByStep(
  numbers: ReadonlyMap<string, number>,
  rules: readonly StepMetric[],
  ownStep: number,
): [number, Record<string, number>][] {
  const stepMetrics = new Set([...STEP_NAMES, ...rules.map(({ stepMetric }) => stepMetric)]);
  const groups = new Map<number, Record<string, number>>();
  for (const [name, value] of numbers) {
    if (OWN_NAMES.has(name) || stepMetrics.has(name)) continue;
    const step = wholeNumber(numbers, [stepMetricOf(name, rules), ...STEP_NAMES]) ?? ownStep;
    const group = groups.get(step) ?? {};
    setValue(group, name, value);
    groups.set(step, group);
  }
  return [...groups];
}

/** The value of the first of these names that is a step number here. */
function wholeNumber(numbers: ReadonlyMap<string, number>, names: readonly (string | null)[]): number | null {
  for (const name of names) {
    const value = name === null ? undefined : numbers.get(name);
    if (Number.isSafeInteger(value)) return value as number;
  }
  return null;
}

/** A rule for the name itself comes before patterns. */
function stepMetricOf(name: string, rules: readonly StepMetric[]): string | null {
  const exact = rules.find((rule) => !rule.isGlob && rule.name === name);
  const rule = exact ?? rules.find((each) => each.isGlob && fits(name, each.name));
  return rule?.stepMetric || null;
}

/** W&B allows `*` only at the end of a pattern. */
function fits(name: string, glob: string): boolean {
  return name.startsWith(glob.slice(0, -1));
}
