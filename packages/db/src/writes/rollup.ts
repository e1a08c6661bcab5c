import { FIRST_CUSTOM_METRIC, MIN_STEP } from '@evenkeel/protocol';
import { and, asc, eq, type SQL, sql } from 'drizzle-orm';
import type { Database, Sql } from '../database.ts';
import { arrayOf, INT8 } from '../drivers/array-wire.ts';
import {
  customValues,
  floorSql,
  type MetricRange,
  overlapOfSets,
  PARTS,
  rolledBuckets,
  STEP_METRICS,
  stepBuckets,
  TOTALS,
} from '../reads/bucket-sql.ts';
import { COMPLETE, isBehind, SHORTEST_ROW } from '../reads/rollup.ts';
import { floorTo, type Piece, UNROLLED } from '../reads/timeline.ts';
import { attempt, RAW_SIZE, ROLLUP_SIZES, rollup, rowSpan, run, STALE_SPAN, step } from '../tables/schema.ts';

/** Raw steps of one build of a run with custom scalars, and with many of them about their values. */
const CHUNK_STEPS = 1024;
const CHUNK_VALUES = 256 * 1024;
/**
 * Values that one transaction reads of custom scalars, which takes some 100 ms: the embedded database does nothing else
 * meanwhile.
 */
const PART_VALUES = 32 * 1024;

const LONGEST_ROW = rowSpan(ROLLUP_SIZES[2]);

/** Builds the rollups of every complete span of a run that are missing or no longer right. */
export async function rollUp(db: Database, run: string): Promise<void> {
  const behind = await db.sql
    .select({ number: attempt.number })
    .from(attempt)
    .where(and(eq(attempt.run, run), isBehind))
    .orderBy(asc(attempt.number));
  for (const { number } of behind) while (await rollUpChunk(db, run, number));
}

/** Throws away what was made of a run's steps, so that {@link rollUp} builds all of it again. */
export async function forgetRollups(db: Database, run: string): Promise<void> {
  await db.sql.transaction(async (tx) => {
    const none = { rolledTo: MIN_STEP, rollingTo: MIN_STEP, stale: [], changed: [], build: NEXT_BUILD };
    await tx.update(attempt).set(none).where(eq(attempt.run, run));
    await lockBuilds(tx, run);
    await tx.delete(rollup).where(eq(rollup.run, run));
  });
}

const NEXT_BUILD = sql`${attempt.build} + 1`;

/** Rows that are built together: in several transactions, between which steps are stored. */
interface Chunk {
  run: string;
  attempt: number;
  build: number;
  /** The numbers of all custom scalars of the run; null where it has none. */
  custom: MetricRange | null;
  /** What is built: from the end of what is rolled up, or the row of the first step, up to where it will be. */
  from: number;
  until: number;
  /** Stale spans that are built again; none where the chunk goes on from `from`. */
  renewed: readonly number[];
}

/**
 * No lock is held while rows are built. A commit of late steps calls their spans stale and changed, be they rolled up or
 * just being rolled up, and what has changed since the build began is stale still once it has ended.
 * @returns whether more is left.
 */
async function rollUpChunk(db: Database, run: string, number: number): Promise<boolean> {
  const chunk = await beginChunk(db, run, number);
  if (typeof chunk === 'boolean') return chunk;
  for (const write of await writesOf(db, chunk)) {
    const isOurs = await db.sql.transaction(async (tx) => {
      await lockBuilds(tx, run);
      const [found] = await tx.select({ build: attempt.build }).from(attempt).where(isAttempt(chunk));
      if (found?.build !== chunk.build) return false;
      await tx.execute(write);
      return true;
    });
    if (!isOurs) return false; // another server builds it, or it begins further back by now
  }
  return endChunk(db, chunk);
}

/** Two builds of a run, of two servers, write one after the other: what is written last was read last. */
export async function lockBuilds(tx: Sql, run: string): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${run}::text, 0))`);
}

function isAttempt({ run, attempt: number }: { run: string; attempt: number }) {
  return and(eq(attempt.run, run), eq(attempt.number, number));
}

/**
 * From here on late steps of the chunk are noticed: the lock makes this wait for commits that have not noticed it.
 * @returns whether more is left, where no row is to be built.
 */
async function beginChunk(db: Database, id: string, number: number): Promise<Chunk | boolean> {
  return db.sql.transaction(async (tx) => {
    const key = { run: id, attempt: number };
    const [found] = await tx
      .select({
        rolledTo: attempt.rolledTo,
        first: attempt.firstStep,
        complete: COMPLETE.mapWith(Number),
        stale: attempt.stale,
        build: NEXT_BUILD.mapWith(Number),
      })
      .from(attempt)
      .where(and(isAttempt(key), isBehind))
      .for('update');
    if (!found) return false;
    const { complete, stale, build } = found;
    // Rows before the one that holds the first step hold nothing.
    const from = Math.max(found.rolledTo, floorTo(found.first ?? found.rolledTo, LONGEST_ROW));
    const [names] = await tx.select({ count: run.scalarNames }).from(run).where(eq(run.id, id));
    const count = names?.count ?? 0; // the run may just have been deleted
    const custom = count > 0 ? { first: FIRST_CUSTOM_METRIC, last: FIRST_CUSTOM_METRIC + count - 1 } : null;
    const steps = chunkSteps(count);
    const renewed = stale.filter((start) => start < found.rolledTo).slice(0, steps / STALE_SPAN);
    if (renewed.length === 0 && from >= complete) return false;
    const until = renewed.length > 0 ? found.rolledTo : await chunkEnd(tx, { ...key, from, complete, steps });
    const chunk = { ...key, build, custom, from, until, renewed };
    const isEmpty = renewed.length === 0 && !hasRows(chunk);
    await tx
      .update(attempt)
      .set(isEmpty ? { rolledTo: until, build } : { rollingTo: until, changed: [], build })
      .where(isAttempt(key));
    return isEmpty ? until < complete : chunk;
  });
}

function chunkSteps(names: number): number {
  if (names === 0) return SHORTEST_ROW;
  const steps = floorTo(CHUNK_VALUES / names, STALE_SPAN);
  return Math.min(Math.max(steps, STALE_SPAN), CHUNK_STEPS);
}

/** By steps that exist, not by their numbers: a run may leave any gap. */
async function chunkEnd(
  tx: Sql,
  chunk: { run: string; attempt: number; from: number; complete: number; steps: number },
): Promise<number> {
  const isInChunk = sql`${step.step} >= ${chunk.from} and ${step.step} < ${chunk.complete}`;
  const [next] = await tx
    .select({ step: step.step })
    .from(step)
    .where(and(eq(step.run, chunk.run), eq(step.attempt, chunk.attempt), isInChunk))
    .orderBy(asc(step.step))
    .offset(chunk.steps)
    .limit(1);
  // A chunk ends after the span of its last step, whatever is behind it, so that it never is empty.
  return next ? Math.max(floorTo(next.step, STALE_SPAN), chunk.from + STALE_SPAN) : chunk.complete;
}

/** @returns whether more is left. */
async function endChunk(db: Database, chunk: Chunk): Promise<boolean> {
  const { build, from, until, renewed } = chunk;
  const isBuilt =
    renewed.length > 0
      ? sql`start = any(${arrayOf(INT8, renewed)}::int8[])`
      : sql`start >= ${from}::int8 and start < ${until}::int8`;
  const stale = sql`array(
    select distinct start from (
      select start from unnest(stale) as start where not (${isBuilt}) union all select unnest(changed)
    ) as still_stale order by start)`;
  const [ended] = await db.sql
    .update(attempt)
    .set({ rolledTo: until, stale, changed: [] })
    .where(and(isAttempt(chunk), eq(attempt.build, build)))
    .returning({ isBehind: sql<boolean>`${isBehind}` });
  return ended?.isBehind ?? false;
}

type Range = Pick<Piece, 'from' | 'until'>;

function rangesOf({ from, until, renewed }: Chunk, size: number): Range[] {
  return renewed.length > 0 ? rowsAround(renewed, size, until) : completed(from, until, size);
}

/** Whether a row of any level is completed. */
function hasRows(chunk: Chunk): boolean {
  const levels = chunk.custom ? [RAW_SIZE, ...ROLLUP_SIZES] : ROLLUP_SIZES;
  return levels.some((size) => rangesOf(chunk, size).length > 0);
}

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

/**
 * The statements that build a chunk, in order, each for some metrics: level 1 from the reports of custom scalars, the
 * next from that and from the steps, each further from the one before.
 */
async function writesOf(db: Database, chunk: Chunk): Promise<SQL[]> {
  const { run, attempt, custom } = chunk;
  const pieces = (size: number, source: number) =>
    rangesOf(chunk, size).map((range) => ({ attempt, size: source, ...range }));
  const writes: SQL[] = [];
  const raw = custom ? pieces(RAW_SIZE, UNROLLED) : [];
  if (custom && raw.length > 0) {
    const { rows } = await db.sql.execute<{ overlap: boolean }>(overlapOfSets(run, raw));
    const sets = rows[0]?.overlap === false ? 'are apart' : 'overlap';
    for (const part of parts(custom, raw, RAW_SIZE)) {
      writes.push(upsertRawRows({ run, attempt }, customValues(run, raw, part, sets)));
    }
  }
  for (const [at, size] of ROLLUP_SIZES.entries()) {
    const smaller = ROLLUP_SIZES[at - 1];
    const write = (buckets: SQL) => writes.push(upsertRows({ run, attempt, size }, buckets));
    const steps = pieces(size, smaller ?? UNROLLED);
    if (steps.length === 0) continue;
    if (smaller) write(rolledBuckets(run, steps, STEP_METRICS));
    else write(stepBuckets(run, steps, STEP_METRICS, (column) => floorSql(column, size)));
    const from = pieces(size, smaller ?? RAW_SIZE);
    for (const part of custom ? parts(custom, from, smaller ?? RAW_SIZE) : []) {
      write(rolledBuckets(run, from, metricsIn(part)));
    }
  }
  return writes;
}

/** Ranges of metrics that hold about {@link PART_VALUES} values each, if every bucket of the source has one. */
function parts({ first, last }: MetricRange, pieces: readonly Piece[], source: number): MetricRange[] {
  const buckets = pieces.reduce((sum, { from, until }) => sum + (until - from) / source, 0);
  const metrics = Math.max(1, Math.floor(PART_VALUES / Math.max(1, Math.min(buckets, MAX_BUCKETS))));
  const count = pieces.length === 0 ? 0 : Math.ceil((last + 1 - first) / metrics);
  return Array.from({ length: count }, (_, at) => {
    const start = first + at * metrics;
    return { first: start, last: Math.min(start + metrics - 1, last) };
  });
}

/** Of one metric that a chunk reads: its own steps, and those before them in the rows that it completes. */
const MAX_BUCKETS = CHUNK_STEPS + rowSpan(ROLLUP_SIZES[0]);

function metricsIn({ first, last }: MetricRange): number[] {
  return Array.from({ length: last + 1 - first }, (_, at) => first + at);
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
