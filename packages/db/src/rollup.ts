import { and, asc, eq, isNotNull, type SQL, sql } from 'drizzle-orm';
import { ARRAY_STEPS, bucketsOf, PARTS, total } from './bucket-sql.ts';
import { customNamesOf } from './chart.ts';
import type { Database, Sql } from './database.ts';
import { allMetrics } from './metric.ts';
import { attempt, ROLLUP_SIZES, rollup, step } from './schema.ts';
import type { Piece } from './timeline.ts';

/** Raw steps that one transaction reads, so that commits of new steps come in between. */
const CHUNK_STEPS = 1024;
const SMALLEST = ROLLUP_SIZES[0];

const COMPLETE = sql`(${attempt.lastStep} + 1 - (${attempt.lastStep} + 1) % ${sql.raw(`${SMALLEST}`)})`;
const isBehind = sql`(${attempt.rolledTo} < ${COMPLETE} or cardinality(${attempt.stale}) > 0)`;

/** Makes the rollups of every complete bucket of a run that are missing or no longer right. */
export async function rollUp(db: Database, run: string): Promise<void> {
  const behind = await db.sql
    .select({ number: attempt.number })
    .from(attempt)
    .where(and(eq(attempt.run, run), isBehind))
    .orderBy(asc(attempt.number));
  for (const { number } of behind) while (await rollUpChunk(db, run, number));
}

/** Every run that has steps. */
export async function runsWithSteps(db: Database): Promise<string[]> {
  const rows = await db.sql.selectDistinct({ run: attempt.run }).from(attempt).where(isNotNull(attempt.lastStep));
  return rows.map(({ run }) => run);
}

/** Throws away what was made of a run's steps, so that {@link rollUp} makes all of it anew. */
export async function forgetRollups(db: Database, run: string): Promise<void> {
  await db.sql.transaction(async (tx) => {
    await tx.update(attempt).set({ rolledTo: 0, stale: [] }).where(eq(attempt.run, run)); // locked first, as rollUp does
    await tx.delete(rollup).where(eq(rollup.run, run));
  });
}

/** The runs that have something to roll up. */
export async function runsToRollUp(db: Database): Promise<string[]> {
  const rows = await db.sql.selectDistinct({ run: attempt.run }).from(attempt).where(isBehind);
  return rows.map(({ run }) => run);
}

/**
 * The lock on the attempt makes a commit of late steps wait, and then call their buckets stale, so that what was read
 * here is never called right when it is not.
 * @returns whether more is left.
 */
async function rollUpChunk(db: Database, run: string, number: number): Promise<boolean> {
  return db.sql.transaction(async (tx) => {
    const isAttempt = and(eq(attempt.run, run), eq(attempt.number, number));
    const [found] = await tx
      .select({ from: attempt.rolledTo, complete: COMPLETE.mapWith(Number), stale: attempt.stale })
      .from(attempt)
      .where(and(isAttempt, isBehind))
      .for('update');
    if (!found) return false;
    const renewed = found.stale.slice(0, CHUNK_STEPS / SMALLEST);
    if (renewed.length > 0) {
      await rollUpLevels(tx, run, number, (size) => bucketsAround(renewed, size, found.from));
      await tx
        .update(attempt)
        .set({ stale: found.stale.slice(renewed.length) })
        .where(isAttempt);
      return true;
    }
    const until = await chunkEnd(tx, { run, attempt: number, ...found });
    await rollUpLevels(tx, run, number, (size) => completed(found.from, until, size));
    await tx.update(attempt).set({ rolledTo: until }).where(isAttempt);
    return until < found.complete;
  });
}

/** By steps that exist, not by their numbers: a run may leave any gap. */
async function chunkEnd(tx: Sql, chunk: { run: string; attempt: number; from: number; complete: number }) {
  const isInChunk = sql`${step.step} >= ${chunk.from} and ${step.step} < ${chunk.complete}`;
  const [next] = await tx
    .select({ step: step.step })
    .from(step)
    .where(and(eq(step.run, chunk.run), eq(step.attempt, chunk.attempt), isInChunk))
    .orderBy(asc(step.step))
    .offset(CHUNK_STEPS)
    .limit(1);
  return next ? floorTo(next.step, SMALLEST) : chunk.complete;
}

type Range = Pick<Piece, 'from' | 'until'>;

/** The buckets of a level that hold any of these smallest ones, as far as they are rolled up. */
function bucketsAround(starts: readonly number[], size: number, rolledTo: number): Range[] {
  const buckets = new Set(starts.map((start) => floorTo(start, size)));
  return [...buckets].map((from) => ({ from, until: from + size })).filter(({ until }) => until <= rolledTo);
}

/** The buckets of a level that become complete when steps do. */
function completed(from: number, until: number, size: number): Range[] {
  const range = { from: floorTo(from, size), until: floorTo(until, size) };
  return range.from < range.until ? [range] : [];
}

/** Each level from the one before it. */
async function rollUpLevels(tx: Sql, run: string, attempt: number, rangesOf: (size: number) => Range[]): Promise<void> {
  const metrics = allMetrics(await customNamesOf(tx, run));
  let source = 1;
  for (const size of ROLLUP_SIZES) {
    const pieces = rangesOf(size).map((range) => ({ attempt, size: source, ...range }));
    if (pieces.length > 0) await tx.execute(upsertRollups({ run, attempt, size }, pieces, metrics));
    source = size;
  }
}

type Level = Pick<typeof rollup.$inferInsert, 'run' | 'attempt' | 'size'>;

function upsertRollups({ run, attempt, size }: Level, sources: readonly Piece[], metrics: readonly number[]): SQL {
  const arrays = PARTS.map((part) => `array[${metrics.map((at) => total(part, at)).join(', ')}]`);
  const carriers = `array[${ARRAY_STEPS.map((name) => `min(${name})`).join(', ')}]`;
  const columns = ['time', 'tokens', 'array_steps', ...PARTS];
  const replaced = columns.map((name) => `${name} = excluded.${name}`).join(', ');
  return sql`
    insert into ${rollup} (run, attempt, size, start, ${sql.raw(columns.join(', '))})
    select ${run}::uuid, ${attempt}::int4, ${size}::int2, at - at % ${size}::int8 as bucket,
      ${sql.raw(['min(time)', 'min(tokens)', carriers, ...arrays].join(', '))}
    from ${bucketsOf(run, sources, metrics)} as part
    group by bucket
    on conflict (run, attempt, size, start) do update set ${sql.raw(replaced)}`;
}

function floorTo(step: number, size: number): number {
  return Math.floor(step / size) * size;
}
