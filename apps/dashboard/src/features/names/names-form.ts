import {
  EVAL_LOSS,
  type MetricTarget,
  metricTarget,
  type ProjectNames,
  STEP_FIELDS,
  targetOf,
} from '@evenkeel/protocol';
import type { ReportedNames } from '../../trpc/client.tsx';

const AUTOMATIC = 'automatic';
const NOTHING = 'nothing';

/** A name with what it became in runs, and what is set for it. */
export interface NameRow {
  name: string;
  fields: ReportedNames['names'][number]['fields'];
  custom: number;
}

/** The names that runs reported, before them those of which something is set and that no run reported. */
export function rowsOf(reported: readonly NameRow[], set: ProjectNames, search: string | null): NameRow[] {
  const known = new Set(reported.map(({ name }) => name));
  const others = Object.keys(set).filter((name) => !known.has(name) && holds(name, search));
  return [...others.sort().map((name) => ({ name, fields: {}, custom: 0 })), ...reported];
}

function holds(name: string, search: string | null): boolean {
  return search === null || name.toLowerCase().includes(search.toLowerCase());
}

/** What can be chosen for a name. */
export function choicesOf(name: string): { value: string; label: string }[] {
  const guess = targetOf(name);
  const targets = metricTarget.options.map((target) => ({ value: target, label: titleOf(target) }));
  return [
    { value: AUTOMATIC, label: `Automatic (${guess === null ? 'nothing' : titleOf(guess)})` },
    ...targets,
    { value: NOTHING, label: 'Nothing: a custom scalar' },
  ];
}

/** What is chosen for a name. */
export function choiceOf(set: ProjectNames, name: string): string {
  if (!Object.hasOwn(set, name)) return AUTOMATIC;
  return set[name] ?? NOTHING;
}

/** The settings with another choice for a name. */
export function choose(set: ProjectNames, name: string, choice: string): ProjectNames {
  const { [name]: _, ...others } = set;
  if (choice === AUTOMATIC) return others;
  return { ...others, [name]: choice === NOTHING ? null : metricTarget.parse(choice) };
}

/** Whether two settings say the same, in whatever order. */
export function isSame(one: ProjectNames, other: ProjectNames): boolean {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length && names.every((name) => choiceOf(one, name) === choiceOf(other, name))
  );
}

/** `Loss in 2 runs, custom scalar in 1 run` */
export function becameWords({ fields, custom }: NameRow): string {
  const parts = Object.entries(fields).map(
    ([target, runs]) => `${titleOf(target as MetricTarget)} in ${runsWords(runs)}`,
  );
  if (custom > 0) parts.push(`${parts.length > 0 ? 'custom' : 'Custom'} scalar in ${runsWords(custom)}`);
  return parts.join(', ') || 'Not reported';
}

function runsWords(runs: number): string {
  return `${runs} ${runs === 1 ? 'run' : 'runs'}`;
}

function titleOf(target: MetricTarget): string {
  if (target === EVAL_LOSS) return 'Evaluation loss';
  const field = STEP_FIELDS.find(({ name }) => name === target);
  if (!field) throw new Error(`a step has no ${target}`);
  return field.title;
}
