import type { StepEvent } from '@evenkeel/protocol';
import { SIGNAL_NAMES, type SignalName } from '@evenkeel/stability';
import { and, asc, desc, eq, type SQL, sql, sum } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { attempt, step } from '../tables/schema.ts';

/** Small: where there is one connection, the ingest waits for a chunk. */
const CHUNK_STEPS = 1_000;

/** What rules judge a step by. */
type SignalRow = Pick<StepEvent, 'step' | SignalName> & { attempt: number };
type Place = Pick<SignalRow, 'attempt' | 'step'>;

const SIGNALS = Object.fromEntries(SIGNAL_NAMES.map((name) => [name, step[name]])) as Pick<typeof step, SignalName>;
const COLUMNS = { attempt: step.attempt, step: step.step, ...SIGNALS };

/** Neither an outlier nor removed. */
const COUNTS = sql`${step.step} <> all (${attempt.outliers}) and ${step.step} <> all (${attempt.removed})`;

/**
 * Where the newest so many steps of a run begin, counted over all attempts, what later ones took over included. Looks at
 * the keys of those steps, unless the bounds of the attempts already show that there are fewer.
 * @returns null where the run has no more than those.
 */
export async function startOfNewest(db: Database, query: { run: string; steps: number }): Promise<Place | null> {
  const [bound] = await db.sql
    .select({ maxSteps: sum(sql`${attempt.lastStep} + 1 - ${attempt.firstStep}`).mapWith(Number) })
    .from(attempt)
    .where(eq(attempt.run, query.run));
  if ((bound?.maxSteps ?? 0) <= query.steps) return null;
  const [first, before] = await db.sql
    .select({ attempt: step.attempt, step: step.step })
    .from(step)
    .where(eq(step.run, query.run))
    .orderBy(desc(step.attempt), desc(step.step))
    .limit(2)
    .offset(query.steps - 1);
  return first && before ? first : null;
}

/** Every step of every attempt of a run that counts, attempt after attempt, in chunks; from a place on where one is given. */
export async function* readSignals(
  db: Database,
  query: { run: string; from: Place | null },
): AsyncGenerator<SignalRow[]> {
  let isBehind = query.from && sql`>= (${query.from.attempt}::int4, ${query.from.step}::int8)`;
  for (;;) {
    const rows = await readChunk(db, query.run, isBehind);
    yield rows;
    const last = rows.at(-1);
    if (!last || rows.length < CHUNK_STEPS) return;
    isBehind = sql`> (${last.attempt}::int4, ${last.step}::int8)`;
  }
}

function readChunk(db: Database, run: string, isBehind: SQL | null): Promise<SignalRow[]> {
  return db.sql
    .select(COLUMNS)
    .from(step)
    .innerJoin(attempt, and(eq(attempt.run, step.run), eq(attempt.number, step.attempt)))
    .where(and(eq(step.run, run), COUNTS, isBehind ? sql`(${step.attempt}, ${step.step}) ${isBehind}` : undefined))
    .orderBy(asc(step.attempt), asc(step.step))
    .limit(CHUNK_STEPS);
}
