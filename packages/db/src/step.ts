import { MAX_CUSTOM_SCALARS, RefusedError, type StepBatch, type StepEvent } from '@evenkeel/protocol';
import { asc, inArray, sql } from 'drizzle-orm';
import { arrayOf, FLOAT8, INT4, INT8, UUID } from './array-wire.ts';
import { type Database, type Sql, tellCause } from './database.ts';
import { type AttemptSteps, extendAttempts } from './extend-attempts.ts';
import { attempt, run } from './schema.ts';
import { type StepRow, upsertSteps } from './step-rows.ts';

/** Steps of one batch that are stored together. */
export interface StepSlice extends StepBatch {
  /** Every step of the batch where these are its first: one that is refused refuses all. These steps where not. */
  whole: StepEvent[];
}

/** What a run's steps must keep to, and what they change of it. */
interface RunState {
  layers: number;
  /** Index of each custom scalar by name. */
  customNames: Map<string, number>;
  storedNames: number;
  newest: number;
  /** Last step of each attempt. */
  attempts: Map<number, number | null>;
}

/**
 * Stores batches of any runs, or slices of them, in one transaction, each whole or not at all. A step that is stored
 * already is replaced.
 * @returns for each batch null, or why it was refused; that does not hurt the others.
 */
export async function insertSteps(
  db: Database,
  batches: (StepBatch | StepSlice)[],
  now: Date,
): Promise<(RefusedError | null)[]> {
  return db.sql.transaction(async (tx) => {
    const states = await lockRuns(tx, [...new Set(batches.map((batch) => batch.run))]);
    const refusals = batches.map((batch) => admit(states.get(batch.run), batch));
    const admitted = batches.filter((_, at) => refusals[at] === null);
    if (admitted.length > 0) await store(tx, states, mergeByAttempt(admitted), now);
    return refusals;
  });
}

/** Locks in the order of ids, so that two commits with some of the same runs wait instead of deadlocking. */
async function lockRuns(tx: Sql, ids: string[]): Promise<Map<string, RunState>> {
  const runs = await tx
    .select({ id: run.id, layers: run.layers, customNames: run.customNames })
    .from(run)
    .where(inArray(run.id, ids))
    .orderBy(asc(run.id))
    .for('update');
  const attempts = await tx
    .select({ run: attempt.run, number: attempt.number, lastStep: attempt.lastStep })
    .from(attempt)
    .where(inArray(attempt.run, ids));
  const states = new Map<string, RunState>();
  for (const { id, layers, customNames } of runs) {
    const indexes = new Map(customNames.map((name, index) => [name, index]));
    const storedNames = customNames.length;
    states.set(id, { layers: layers.length, customNames: indexes, storedNames, newest: 0, attempts: new Map() });
  }
  for (const { run: id, number, lastStep } of attempts) {
    const state = states.get(id);
    state?.attempts.set(number, lastStep);
    if (state) state.newest = Math.max(state.newest, number);
  }
  return states;
}

/** @returns why the batch is refused, or null where it is not, and then its custom names are the run's. */
function admit(state: RunState | undefined, batch: StepBatch | StepSlice): RefusedError | null {
  if (!state) return new RefusedError('run', 'no such run');
  if (!state.attempts.has(batch.attempt)) return new RefusedError('attempt', 'the run has no such attempt');
  const names = new Set<string>();
  const whole = 'whole' in batch ? batch.whole : batch.steps;
  for (const [at, step] of whole.entries()) {
    const refusal = refuseLayers(state, step, at);
    if (refusal) return refusal;
    for (const name in step.custom) if (!state.customNames.has(name)) names.add(name);
    if (state.customNames.size + names.size > MAX_CUSTOM_SCALARS) {
      return new RefusedError(`steps[${at}].custom`, `the run would have more than ${MAX_CUSTOM_SCALARS} scalars`);
    }
  }
  for (const name of names) state.customNames.set(name, state.customNames.size);
  return null;
}

function refuseLayers({ layers }: RunState, step: StepEvent, at: number): RefusedError | null {
  const wrong = (['layerGradVar', 'layerOutVar'] as const).find((name) => step[name] && step[name].length !== layers);
  if (!wrong) return null;
  return new RefusedError(`steps[${at}].${wrong}`, `the run names ${layers} layers, not ${step[wrong]?.length}`);
}

function mergeByAttempt(batches: readonly StepBatch[]): AttemptSteps[] {
  const merged = new Map<string, AttemptSteps>();
  for (const { run, attempt, steps } of batches) {
    const key = `${run} ${attempt}`;
    const known = merged.get(key) ?? { run, attempt, steps: new Map() };
    merged.set(key, known);
    for (const step of steps) known.steps.set(step.step, step);
  }
  return [...merged.values()];
}

async function store(tx: Sql, states: Map<string, RunState>, merged: AttemptSteps[], now: Date): Promise<void> {
  const rows = merged.flatMap(({ run, attempt, steps }) => rowsOf(states.get(run), run, attempt, [...steps.values()]));
  await tx.execute(upsertSteps(rows)).catch(tellCause);
  await extendAttempts(tx, merged);
  await appendNames(tx, states);
  await updateRuns(tx, states, merged, now);
}

function rowsOf(state: RunState | undefined, run: string, attempt: number, events: StepEvent[]): StepRow[] {
  return events.map((event) => ({ run, attempt, event, custom: customOf(state, event) }));
}

function customOf(state: RunState | undefined, { custom }: StepEvent): (number | null)[] | null {
  if (!custom) return null;
  const values: (number | null)[] = [];
  for (const name in custom) {
    const index = state?.customNames.get(name) ?? 0;
    while (values.length <= index) values.push(null);
    values[index] = custom[name] ?? null;
  }
  return values;
}

async function appendNames(tx: Sql, states: Map<string, RunState>): Promise<void> {
  for (const [id, { customNames, storedNames }] of states) {
    if (customNames.size === storedNames) continue;
    await tx
      .update(run)
      .set({ customNames: [...customNames.keys()] })
      .where(sql`${run.id} = ${id}`);
  }
}

interface Newest {
  run: string;
  /** Whether these steps are of the newest attempt, which shows that the run lives. */
  isNewest: boolean;
  /** The step that the run is summed up by from now on; null where that stays. */
  step: StepEvent | null;
}

async function updateRuns(tx: Sql, states: Map<string, RunState>, merged: AttemptSteps[], now: Date): Promise<void> {
  const newest = newestOf(states, merged);
  await tx.execute(sql`
    update ${run} set
      heard_at = greatest(heard_at, ${now.toISOString()}::timestamptz),
      status = case when status = 'lost' and lives then 'running' else status end,
      ended_at = case when status = 'lost' and lives then null else ended_at end,
      last_step = coalesce(stored.step, last_step),
      loss = case when stored.step is null then run.loss else stored.loss end,
      tev_mean = case when stored.step is null then run.tev_mean else stored.tev_mean end
    from unnest(
      ${arrayOf(
        UUID,
        newest.map(({ run }) => run),
      )}::uuid[],
      ${arrayOf(
        INT4,
        newest.map(({ isNewest }) => Number(isNewest)),
      )}::int4[]::bool[],
      ${arrayOf(
        INT8,
        newest.map(({ step }) => step?.step),
      )}::int8[],
      ${arrayOf(
        FLOAT8,
        newest.map(({ step }) => step?.loss),
      )}::float8[],
      ${arrayOf(
        FLOAT8,
        newest.map(({ step }) => step?.tevMean),
      )}::float8[]
    ) as stored (id, lives, step, loss, tev_mean)
    where run.id = stored.id`);
}

function newestOf(states: Map<string, RunState>, merged: readonly AttemptSteps[]): Newest[] {
  const newest = new Map<string, Newest>();
  for (const { run, attempt, steps } of merged) {
    const state = states.get(run);
    if (state?.newest !== attempt) {
      if (!newest.has(run)) newest.set(run, { run, isNewest: false, step: null });
      continue;
    }
    const last = Math.max(...steps.keys());
    const leads = last >= (state.attempts.get(attempt) ?? 0);
    newest.set(run, { run, isNewest: true, step: (leads && steps.get(last)) || null });
  }
  return [...newest.values()];
}
