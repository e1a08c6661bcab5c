import { FIRST_CUSTOM_METRIC, MIN_STEP } from '@evenkeel/protocol';
import { and, asc, eq, isNotNull, type SQL, sql } from 'drizzle-orm';
import { customValues, floorSql, PARTS, rolledBuckets, STEP_METRICS, stepBuckets, TOTALS } from './bucket-sql.ts';
import type { Database, Sql } from './database.ts';
import { attempt, RAW_SIZE, ROLLUP_SIZES, rollup, rowSpan, run, STALE_SPAN, step } from './schema.ts';
import { floorTo, type Piece, UNROLLED } from './timeline.ts';

/** Raw steps that one transaction reads, so that commits of new steps come in between. */
const CHUNK_STEPS = 1024;

const COMPLETE = floorSql('(last_step + 1)', STALE_SPAN);
const isBehind = sql`(${attempt.rolledTo} < ${COMPLETE} and ${attempt.firstStep} < ${COMPLETE} or cardinality(${attempt.stale}) > 0)`;

/** Builds the rollups of every complete span of a run that are missing or no longer right. */
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

/** Throws away what was made of a run's steps, so that {@link rollUp} builds all of it again. */
export async function forgetRollups(db: Database, run: string): Promise<void> {
  await db.sql.transaction(async (tx) => {
    await tx.update(attempt).set({ rolledTo: MIN_STEP, stale: [] }).where(eq(attempt.run, run)); // locked first, as rollUp does
    await tx.delete(rollup).where(eq(rollup.run, run));
  });
}

/** The runs that have something to roll up. */
export async function runsToRollUp(db: Database): Promise<string[]> {
  const rows = await db.sql.selectDistinct({ run: attempt.run }).from(attempt).where(isBehind);
  return rows.map(({ run }) => run);
}

/**
 * The lock on the attempt makes a commit of late steps wait, and then call their spans stale, so that what was read
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
    const renewed = found.stale.slice(0, CHUNK_STEPS / STALE_SPAN);
    if (renewed.length > 0) {
      await rollUpLevels(tx, run, number, (size) => rowsAround(renewed, size, found.from));
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
  // A chunk ends after the span of its last step, whatever is behind it, so that it never is empty.
  return next ? Math.max(floorTo(next.step, STALE_SPAN), chunk.from + STALE_SPAN) : chunk.complete;
}

type Range = Pick<Piece, 'from' | 'until'>;

/** The rows of a level that hold any of these spans, as far as they are rolled up. */
function rowsAround(starts: readonly number[], size: number, rolledTo: number): Range[] {
  const span = rowSpan(size);
  const rows = new Set(starts.map((start) => floorTo(start, span)));
  return [...rows].map((from) => ({ from, until: from + span })).filter(({ until }) => until <= rolledTo);
}

/** The rows of a level that become complete when steps do. */
function completed(from: number, until: number, size: number): Range[] {
  const range = { from: floorTo(from, rowSpan(size)), until: floorTo(until, rowSpan(size)) };
  return range.from < range.until ? [range] : [];
}

/** Level 1 from the reports of custom scalars, the next from that and from the steps, each further from the one before. */
async function rollUpLevels(tx: Sql, run: string, attempt: number, rangesOf: (size: number) => Range[]): Promise<void> {
  const custom = await customMetricsOf(tx, run);
  const pieces = (size: number, source: number) => rangesOf(size).map((range) => ({ attempt, size: source, ...range }));
  const write = async (size: number, from: Piece[], buckets: (from: Piece[]) => SQL) => {
    if (from.length > 0) await tx.execute(upsertRows({ run, attempt, size }, buckets(from)));
  };
  if (custom.length > 0) {
    const from = pieces(RAW_SIZE, UNROLLED);
    if (from.length > 0) await tx.execute(upsertRawRows({ run, attempt }, customValues(run, from)));
  }
  const [smallest, ...larger] = ROLLUP_SIZES;
  await write(smallest, pieces(smallest, UNROLLED), (from) =>
    stepBuckets(run, from, STEP_METRICS, (column) => floorSql(column, smallest)),
  );
  if (custom.length > 0) {
    await write(smallest, pieces(smallest, RAW_SIZE), (from) => rolledBuckets(run, from, custom));
  }
  let source: number = smallest;
  for (const size of larger) {
    await write(size, pieces(size, source), (from) => rolledBuckets(run, from, [...STEP_METRICS, ...custom]));
    source = size;
  }
}

/** The numbers of all custom scalars of a run. */
async function customMetricsOf(tx: Sql, id: string): Promise<number[]> {
  const [found] = await tx.select({ names: run.scalarNames }).from(run).where(eq(run.id, id));
  return Array.from({ length: found?.names ?? 0 }, (_, at) => FIRST_CUSTOM_METRIC + at); // none where it was deleted
}

const KEY = 'run, attempt, metric, size, start';
const ARRAYS = ['offsets', ...PARTS];

/** Writes the rows of a level from smaller buckets. */
function upsertRows({ run, attempt, size }: { run: string; attempt: number; size: number }, buckets: SQL): SQL {
  const arrays = PARTS.map(
    (part) => `array_agg(${part}${part.startsWith('m') || part === 'sum' ? '' : '::int2'} order by at)`,
  );
  return sql`
    insert into ${rollup} (${sql.raw(`${KEY}, ${ARRAYS.join(', ')}`)})
    select ${run}::uuid, ${attempt}::int4, metric, ${size}::int2, ${floorSql('at', rowSpan(size))} as start,
      case when count(*) < ${rowSpan(size) / size} then array_agg(((at - ${floorSql('at', rowSpan(size))}) / ${size})::int2 order by at) end,
      ${sql.raw(arrays.join(', '))}
    from (
      select metric, ${floorSql('at', size)} as at, ${TOTALS} from (${buckets}) as smaller group by 1, 2
    ) as bucket
    group by metric, ${floorSql('at', rowSpan(size))}
    on conflict (${sql.raw(KEY)})
    do update set ${sql.raw(ARRAYS.map((name) => `${name} = excluded.${name}`).join(', '))}`;
}

/** Writes rows of level 1 from values. */
function upsertRawRows({ run, attempt }: { run: string; attempt: number }, values: SQL): SQL {
  const start = floorSql('at', rowSpan(RAW_SIZE));
  return sql`
    insert into ${rollup} (${sql.raw(`${KEY}, offsets, min`)})
    select ${run}::uuid, ${attempt}::int4, metric, ${RAW_SIZE}::int2, ${start} as start,
      case when count(*) < ${rowSpan(RAW_SIZE)} then array_agg((at - ${start})::int2 order by at) end,
      array_agg(value order by at)
    from (${values}) as reported
    group by metric, ${start}
    on conflict (${sql.raw(KEY)}) do update set offsets = excluded.offsets, min = excluded.min`;
}
