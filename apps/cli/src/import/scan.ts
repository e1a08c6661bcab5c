import {
  claimNames,
  type EndStatus,
  MAX_STEP,
  MAX_TIME,
  MIN_STEP,
  MIN_STEP_TIME,
  type RunNames,
  runDescription,
} from '@evenkeel/protocol';
import { Attempts, type Found, type RunFacts, StepRows } from '@evenkeel/readers';
import { importedId } from './run-id.ts';
import type { SourceRun } from './sources.ts';

type Row = Extract<Found, { kind: 'row' }>;
type End = Extract<Found, { kind: 'end' }>;

/** A step of a run, all that its source says of it where that is together. */
export interface AttemptStep {
  attempt: number;
  step: number;
  /** In milliseconds since 1970. */
  time: number;
  values: Record<string, number>;
}

/** What could not be brought. */
interface Loss {
  what: string;
  reason: string;
  count: number;
}

/** An attempt of a run that has been read once. */
export interface ScannedAttempt {
  number: number;
  startedAt: number;
  endedAt: number;
  status: EndStatus;
  reason: string | null;
  steps: number;
  firstStep: number;
  lastStep: number;
}

/** A run that has been read once, as it is imported. */
export interface ScannedRun {
  source: SourceRun;
  /** Its id on the server. */
  run: string;
  project: string;
  name: string;
  config: Record<string, unknown>;
  tags: string[];
  notes: string;
  /** None where the source has no step of it. */
  attempts: ScannedAttempt[];
  /** Whether the source says when it began; otherwise that is when it was last written. */
  hasTimes: boolean;
  /** Whether the source says anything of a run: a text file without a line that is known does not. */
  isEmpty: boolean;
  /** Every name under which it reports values, and which of them become fields of its steps. */
  names: Set<string>;
  fields: RunNames;
  losses: Loss[];
}

/** Reads a run once. @param project in place of the one that its source names. */
export async function scanRun(source: SourceRun, project: string | undefined): Promise<ScannedRun> {
  const facts: RunFacts = { ...source };
  const losses = new Map<string, Loss>();
  const names = new Set<string>();
  const ends = new Map<number, End>();
  const attempts: ScannedAttempt[] = [];
  let fields: RunNames = {};
  let isEmpty = true;
  let hasTimes = false;
  const steps = stepsOf(source, (found, attempt) => {
    isEmpty = false;
    if (found.kind === 'run') addFacts(facts, found);
    else if (found.kind === 'end') ends.set(attempt, found);
    else if (found.kind === 'lost') addLoss(losses, found);
    else if (found.kind === 'console')
      addLoss(losses, { what: 'console lines', reason: 'an import has no place for them', count: 1 });
  });
  for await (const step of steps) {
    addStep(attempts, step);
    hasTimes ||= step.time !== source.modifiedAt;
    const fresh = newNames(names, step.values);
    if (fresh.length > 0) fields = claimNames(fields, fresh, {}) ?? fields;
  }
  const described = describe(facts, losses);
  const [first] = attempts;
  if (first && isTime(facts.startedAt)) first.startedAt = Math.min(first.startedAt, facts.startedAt);
  for (const [at, attempt] of attempts.entries())
    Object.assign(attempt, endOf(attempt, { end: ends.get(attempt.number), next: attempts[at + 1], source }));
  const runProject = project ?? described.project;
  return {
    ...described,
    source,
    project: runProject,
    run: importedId(`evenkeel ${source.format}`, runProject, facts.id ?? source.key),
    attempts,
    hasTimes: isTime(facts.startedAt) || hasTimes,
    isEmpty: isEmpty && attempts.length === 0,
    names,
    fields,
    losses: [...losses.values()],
  };
}

/**
 * The steps of a run in the order of its source, merged where they are close.
 * @param onOther gets all else, with the attempt that it is of.
 */
export async function* stepsOf(
  source: SourceRun,
  onOther: (found: Exclude<Found, Row>, attempt: number) => void,
): AsyncGenerator<AttemptStep> {
  const attempts = new Attempts();
  const rows = new StepRows();
  let attempt = 1;
  let time = source.startedAt ?? source.modifiedAt;
  const placed = (row: Row): AttemptStep => {
    if (isTime(row.time)) time = row.time;
    return { attempt, step: row.step, time, values: row.values };
  };
  for await (const some of source.read()) {
    for (const found of some) {
      if (found.kind === 'file') {
        attempts.nextFile();
        continue;
      }
      if (found.kind === 'row' && !(found.step >= MIN_STEP && found.step <= MAX_STEP)) {
        onOther({ kind: 'lost', what: 'rows', count: 1, reason: 'their step is beyond ±2^40' }, attempt);
        continue;
      }
      attempts.see(found);
      if (attempts.number !== attempt) {
        for (const row of rows.flush()) yield placed(row);
        attempt = attempts.number;
      }
      if (found.kind !== 'row') {
        onOther(found, attempt);
        continue;
      }
      const ready = rows.add(found);
      if (ready) yield placed(ready);
    }
  }
  for (const row of rows.flush()) yield placed(row);
}

/** A time that a step may have: some sources have seconds since their start, or nothing. */
function isTime(time: number | null | undefined): time is number {
  return time != null && time >= MIN_STEP_TIME && time <= MAX_TIME;
}

function addFacts(facts: RunFacts, { kind: _, ...found }: Extract<Found, { kind: 'run' }>): void {
  Object.assign(facts, found, found.config && { config: { ...facts.config, ...found.config } });
}

function addLoss(losses: Map<string, Loss>, { what, reason, count }: Loss): void {
  const key = JSON.stringify([what, reason]);
  const known = losses.get(key);
  if (known) known.count += count;
  else losses.set(key, { what, reason, count });
}

function addStep(attempts: ScannedAttempt[], { attempt: number, step, time }: AttemptStep): void {
  const last = attempts.at(-1);
  if (last?.number === number) {
    last.steps += 1;
    last.firstStep = Math.min(last.firstStep, step);
    last.lastStep = Math.max(last.lastStep, step);
    last.startedAt = Math.min(last.startedAt, time);
    last.endedAt = Math.max(last.endedAt, time);
  } else {
    const at = { startedAt: time, endedAt: time, firstStep: step, lastStep: step };
    attempts.push({ number, ...at, steps: 1, status: 'finished', reason: null });
  }
}

/** Those that were not known, which are now. */
function newNames(names: Set<string>, values: Record<string, number>): string[] {
  const found = [];
  for (const name in values) {
    if (names.has(name)) continue;
    names.add(name);
    found.push(name);
  }
  return found;
}

function endOf(
  { endedAt }: ScannedAttempt,
  { end, next, source }: { end: End | undefined; next: ScannedAttempt | undefined; source: SourceRun },
): Pick<ScannedAttempt, 'status' | 'reason' | 'endedAt'> {
  if (end) return { status: end.status, reason: end.reason, endedAt: isTime(end.endedAt) ? end.endedAt : endedAt };
  if (next) return { status: 'stopped', reason: `continued as attempt ${next.number}`, endedAt };
  if (source.saysEnd) return { status: 'stopped', reason: 'it was killed, or running when it was read', endedAt };
  return { status: 'finished', reason: 'its source does not say how it ended', endedAt };
}

/** What a run can be described with; what does not fit is lost. */
function describe(facts: RunFacts & { name?: string }, losses: Map<string, Loss>) {
  const { shape } = runDescription;
  const take = <Value>(
    what: string,
    schema: { safeParse(value: unknown): ParseResult<Value> },
    value: unknown,
    fallback: Value,
  ) => {
    if (value === undefined) return fallback;
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    addLoss(losses, { what, reason: result.error.issues[0]?.message ?? 'they do not fit', count: 1 });
    return fallback;
  };
  return {
    project: take('projects', shape.project, facts.project, 'imported'),
    name: take('names', shape.name, facts.name, 'unnamed'),
    config: take('configurations', shape.config, facts.config, {}),
    tags: take('lists of tags', shape.tags, facts.tags, []),
    notes: take('notes', shape.notes, facts.notes, ''),
  };
}

type ParseResult<Value> =
  | { success: true; data: Value }
  | { success: false; error: { issues: readonly { message: string }[] } };
