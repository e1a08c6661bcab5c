import {
  DropCount,
  type DroppedValue,
  type DropReason,
  mergeStep,
  RefusedError,
  type StepArray,
  type StepBatch,
  type StepEvent,
} from '@evenkeel/protocol';
import { asc, inArray, sql } from 'drizzle-orm';
import { type CopyIn, type Database, type Sql, throwCause } from '../database.ts';
import { arrayOf, FLOAT8, INT4, INT8, UUID } from '../drivers/array-wire.ts';
import { attempt, run } from '../tables/schema.ts';
import { countDropped } from './dropped.ts';
import {
  type AttemptBounds,
  type AttemptSteps,
  type ExtendedAttempt,
  extendAttempts,
  extended,
} from './extend-attempts.ts';
import { recordOutliers } from './outlier.ts';
import type { ScalarDictionary } from './scalar-dictionary.ts';
import { keepDictionaries, storeDictionary, takeDictionaries } from './scalar-store.ts';
import { copyScalars, copySteps, type ScalarValues, type StepRow, upsertScalars, upsertSteps } from './step-rows.ts';

/** The result of a batch: why it was refused, or the values that were left out of what was stored. */
export type StoredSteps = RefusedError | DroppedValue[];

/** A batch, and what was left out of it before it came here. */
export interface TakenBatch extends StepBatch {
  dropped?: readonly DroppedValue[];
}

/** What a run's steps must keep to, and what they change of it. */
interface RunState {
  layers: number;
  dictionary: ScalarDictionary;
  newest: number;
  /** Where the steps of each attempt lie. */
  attempts: Map<number, AttemptBounds>;
}

/**
 * Stores batches of any runs in one transaction, each whole or not at all. A step that is stored already is merged with:
 * what the batch carries of it is overwritten, the rest stays. A value that the run cannot have is left out and counted.
 * @returns the result of each batch; a refused one does not affect the others.
 */
export async function insertSteps(db: Database, batches: readonly TakenBatch[], now: Date): Promise<StoredSteps[]> {
  try {
    return await insert(db, batches, { now, isNew: isAhead });
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    return insert(db, batches, { now, isNew: () => false }); // a step is stored beyond the bounds of its attempt
  }
}

interface Insertion {
  now: Date;
  /** Whether it is certain that an attempt has no such step yet: it is then copied in, which costs half. */
  isNew: (bounds: AttemptBounds, step: number) => boolean;
}

/** Every stored step of an attempt lies within its bounds, is an outlier or was removed. */
function isAhead({ last, outliers, removed }: AttemptBounds, step: number): boolean {
  return step > Math.max(last ?? Number.NEGATIVE_INFINITY, ...outliers, ...removed);
}

/** The SQLSTATE of a key that exists already. */
const UNIQUE_VIOLATION = '23505';

function isDuplicate(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION;
}

async function insert(db: Database, batches: readonly TakenBatch[], insertion: Insertion): Promise<StoredSteps[]> {
  const { results, runs, states } = await db.withCopy(async (tx, copyIn) => {
    const runs = await lockRuns(tx, [...new Set(batches.map((batch) => batch.run))]);
    const states = await readStates(db, tx, runs);
    const taken = batches.map((batch) => admit(states, batch));
    const admitted = taken.filter((batch): batch is Fitted => !(batch instanceof RefusedError));
    if (admitted.length > 0) await store({ tx, copyIn, states, ...insertion }, mergeByAttempt(admitted));
    await countDropped(
      tx,
      admitted.map(({ run, attempt, dropped }) => ({ run, attempt, values: dropped.values() })),
    );
    const results = taken.map((batch) => (batch instanceof RefusedError ? batch : batch.dropped.values()));
    return { results, runs, states };
  });
  keepDictionaries(db, runs, new Map([...states].map(([id, { dictionary }]) => [id, dictionary])));
  return results;
}

/** Locks in the order of ids, so that two commits with some of the same runs wait instead of deadlocking. */
function lockRuns(tx: Sql, ids: string[]) {
  const { id, serial, layers, scalarNames, scalarSets } = run;
  return tx
    .select({ id, serial, layers: sql<number>`cardinality(${layers})`, scalarNames, scalarSets })
    .from(run)
    .where(inArray(run.id, ids))
    .orderBy(asc(run.id))
    .for('update');
}

type LockedRun = Awaited<ReturnType<typeof lockRuns>>[number];

async function readStates(db: Database, tx: Sql, runs: readonly LockedRun[]): Promise<Map<string, RunState>> {
  const ids = runs.map(({ id }) => id);
  const attempts = await tx
    .select({
      run: attempt.run,
      number: attempt.number,
      first: attempt.firstStep,
      last: attempt.lastStep,
      outliers: attempt.outliers,
      jumps: attempt.jumps,
      removed: attempt.removed,
    })
    .from(attempt)
    .where(inArray(attempt.run, ids));
  const dictionaries = await takeDictionaries(db, tx, runs);
  const states = new Map<string, RunState>();
  for (const { id, layers } of runs) {
    const dictionary = dictionaries.get(id);
    if (!dictionary) throw new Error(`no dictionary of run ${id}`);
    states.set(id, { layers, dictionary, newest: 0, attempts: new Map() });
  }
  for (const { run: id, number, ...bounds } of attempts) {
    const state = stateOf(states, id);
    state.attempts.set(number, bounds);
    state.newest = Math.max(state.newest, number);
  }
  return states;
}

/** The state of a run whose batch was admitted. */
function stateOf(states: ReadonlyMap<string, RunState>, id: string): RunState {
  const state = states.get(id);
  if (!state) throw new Error(`no state of run ${id}`);
  return state;
}

/** A batch as its run can have it. */
interface Fitted extends StepBatch {
  dropped: DropCount;
}

function admit(
  states: Map<string, RunState>,
  { run, attempt, steps, dropped = [] }: TakenBatch,
): Fitted | RefusedError {
  const state = states.get(run);
  if (!state) return new RefusedError('run', 'no such run');
  if (!state.attempts.has(attempt)) return new RefusedError('attempt', 'the run has no such attempt');
  const count = new DropCount();
  for (const { field, reason, count: times } of dropped) count.add(field, reason, times);
  return { run, attempt, steps: steps.map((step) => fit(state, step, count)), dropped: count };
}

/** The step without what its run has no room for; itself where that is nothing. Its new names are the run's from now on. */
function fit({ layers, dictionary }: RunState, step: StepEvent, dropped: DropCount): StepEvent {
  let fitted = step;
  for (const name of BY_LAYER) {
    if (!step[name] || step[name].length === layers) continue;
    fitted = { ...fitted, [name]: null };
    dropped.add(name, 'wrong length' satisfies DropReason);
  }
  const excess = dictionary.add(step.custom);
  if (excess.length === 0) return fitted;
  const custom = { ...step.custom };
  for (const name of excess) {
    delete custom[name];
    dropped.add(`custom.${name}`, 'too many names' satisfies DropReason);
  }
  return { ...fitted, custom };
}

const BY_LAYER = ['layerGradVar', 'layerOutVar'] as const satisfies readonly StepArray[];

function mergeByAttempt(batches: readonly StepBatch[]): AttemptSteps[] {
  const merged = new Map<string, AttemptSteps>();
  for (const { run, attempt, steps } of batches) {
    const key = `${run} ${attempt}`;
    const known: AttemptSteps = merged.get(key) ?? { run, attempt, steps: new Map(), reports: [] };
    merged.set(key, known);
    for (const step of steps) {
      known.reports.push(step);
      const former = known.steps.get(step.step);
      known.steps.set(step.step, former ? mergeStep(former, step) : step);
    }
  }
  return [...merged.values()];
}

interface Storing extends Insertion {
  tx: Sql;
  copyIn: CopyIn;
  states: Map<string, RunState>;
}

async function store(storing: Storing, merged: AttemptSteps[]): Promise<void> {
  const { tx, copyIn, states, now, isNew } = storing;
  const added: StepRow[] = [];
  const known: StepRow[] = [];
  for (const { run, attempt, steps } of merged) {
    const bounds = boundsOf(stateOf(states, run), attempt);
    for (const event of steps.values()) (isNew(bounds, event.step) ? added : known).push({ run, attempt, event });
  }
  if (added.length + known.length === 0) return;
  if (added.length > 0) await copySteps(copyIn, added);
  if (known.length > 0) await tx.execute(upsertSteps(known)).catch(throwCause);
  await storeScalars(storing, added, known);
  const attempts = merged.map((added) => extended(added, boundsOf(stateOf(states, added.run), added.attempt)));
  await extendAttempts(tx, attempts);
  await recordOutliers(tx, attempts);
  await updateRuns(tx, states, attempts, now);
}

function boundsOf({ attempts }: RunState, number: number): AttemptBounds {
  const bounds = attempts.get(number);
  if (!bounds) throw new Error(`no bounds of attempt ${number}`);
  return bounds;
}

async function storeScalars({ tx, copyIn, states }: Storing, added: StepRow[], known: StepRow[]): Promise<void> {
  const [addedValues, knownValues] = [scalarsOf(states, added), scalarsOf(states, known)];
  if (addedValues.length + knownValues.length === 0) return;
  for (const [id, { dictionary }] of states) await storeDictionary(tx, id, dictionary);
  if (addedValues.length > 0) await copyScalars(copyIn, addedValues);
  if (knownValues.length > 0) await tx.execute(upsertScalars(knownValues)).catch(throwCause);
}

function scalarsOf(states: Map<string, RunState>, rows: readonly StepRow[]): ScalarValues[] {
  return rows.flatMap(({ run, attempt, event: { step, custom } }) => {
    const rows = custom ? stateOf(states, run).dictionary.rowsOf(custom) : [];
    return rows.map((row) => ({ run, attempt, step, ...row }));
  });
}

/** A value, and when it was measured: of two, the one that is later by the trainer's clock sums the run up. */
interface Report {
  value: number | null;
  step: number;
  /** Milliseconds since 1970. */
  time: number;
}

/** The columns of `run` that sum it up, each beside the step and the time of its report. */
const SUMMED_UP = ['last', 'loss', 'tev_mean'] as const;

interface Summary extends Partial<Record<(typeof SUMMED_UP)[number], Report>> {
  run: string;
  attempt: number;
  /** Whether that is the newest attempt, which shows that the run lives. */
  lives: boolean;
}

/** By time and not by the greatest step: one wrong, huge number must not stay on the board forever. */
async function updateRuns(
  tx: Sql,
  states: Map<string, RunState>,
  attempts: ExtendedAttempt[],
  now: Date,
): Promise<void> {
  const summaries = summariesOf(states, attempts);
  const column = (type: typeof INT4, read: (summary: Summary) => number | null | undefined) =>
    arrayOf(type, summaries.map(read));
  const reports = SUMMED_UP.flatMap((name) => [
    sql`${column(FLOAT8, (summary) => summary[name]?.value)}::float8[]`,
    sql`${column(INT8, (summary) => summary[name]?.step)}::int8[]`,
    sql`${column(FLOAT8, (summary) => summary[name]?.time)}::float8[]`,
  ]);
  const names = SUMMED_UP.flatMap((name) => [name, `${name}_step`, `${name}_time`]);
  await tx.execute(sql`
    update ${run} set
      last_seen_at = greatest(last_seen_at, ${now.toISOString()}::timestamptz),
      status = case when status = 'lost' and lives then 'running' else status end,
      ended_at = case when status = 'lost' and lives then null else ended_at end,
      latest_attempt = case when lives then stored.attempt else latest_attempt end,
      ${sql.raw(SUMMED_UP.flatMap(assignments).join(', '))}
    from unnest(
      ${arrayOf(
        UUID,
        summaries.map(({ run }) => run),
      )}::uuid[],
      ${column(INT4, ({ attempt }) => attempt)}::int4[],
      ${column(INT4, ({ lives }) => Number(lives))}::int4[]::bool[],
      ${sql.join(reports, sql`, `)}
    ) as stored (id, attempt, lives, ${sql.raw(names.join(', '))})
    where run.id = stored.id`);
}

/** An attempt that has just begun to measure is summed up by its own reports alone. */
function assignments(name: (typeof SUMMED_UP)[number]): string[] {
  const key = `(stored.${name}_time, stored.${name}_step) >= (run.${name}_time, run.${name}_step)`;
  const isTaken = `lives and (stored.attempt > coalesce(latest_attempt, 0)
    or stored.${name}_time is not null and (run.${name}_time is null or ${key}))`;
  const columns = name === 'last' ? [] : [name]; // the value of "last" is its step
  return [...columns, `${name}_step`, `${name}_time`].map(
    (column) => `${column} = case when ${isTaken} then stored.${column} else run.${column} end`,
  );
}

function summariesOf(states: Map<string, RunState>, attempts: readonly ExtendedAttempt[]): Summary[] {
  const summaries = new Map<string, Summary>();
  for (const { run, attempt, reports, bounds } of attempts) {
    const lives = stateOf(states, run).newest === attempt;
    if (!lives && summaries.has(run)) continue;
    const summary: Summary = { run, attempt, lives };
    // Not of the merged steps, whose time is that of their first report: how reports are split into batches decides nothing.
    for (const { step, time, loss, tevMean } of reports) {
      if (bounds.outliers.includes(step) || bounds.removed.includes(step)) continue;
      takeLater(summary, 'last', { value: step, step, time });
      if (loss != null) takeLater(summary, 'loss', { value: loss, step, time });
      if (tevMean != null) takeLater(summary, 'tev_mean', { value: tevMean, step, time });
    }
    summaries.set(run, summary);
  }
  return [...summaries.values()];
}

function takeLater(summary: Summary, name: (typeof SUMMED_UP)[number], report: Report): void {
  const known = summary[name];
  const isLater = !known || report.time > known.time || (report.time === known.time && report.step >= known.step);
  if (isLater) summary[name] = report;
}
