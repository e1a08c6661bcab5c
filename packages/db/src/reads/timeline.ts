import { ownedSpans, type StepSpan } from '@evenkeel/stability';
import { and, asc, eq, lte } from 'drizzle-orm';
import type { Sql } from '../database.ts';
import { attempt, RAW_SIZE, ROLLUP_SIZES, rowSpan, STALE_SPAN } from '../tables/schema.ts';

/**
 * Steps that an attempt owns: from its first step until the first step of any later attempt, without those that are left
 * out.
 */
export interface Segment {
  attempt: number;
  first: number;
  last: number;
  rolledTo: number;
  /** In order. */
  stale: readonly number[];
}

/** The size of a piece that is read from the steps as they were stored. */
export const UNROLLED = 0;

/** Steps of one attempt from `from` until before `until`, to be read from buckets of `size`, or as they are ({@link UNROLLED}). */
export interface Piece {
  attempt: number;
  size: number;
  from: number;
  until: number;
}

/**
 * The run's timeline in order; what a later attempt took over is not in it.
 * @param asOf the last attempt that counts: the timeline as it was before any later one.
 */
export async function readTimeline(sql: Sql, run: string, asOf?: number): Promise<Segment[]> {
  const attempts = await sql
    .select({
      number: attempt.number,
      firstStep: attempt.firstStep,
      lastStep: attempt.lastStep,
      rolledTo: attempt.rolledTo,
      stale: attempt.stale,
      outliers: attempt.outliers,
      removed: attempt.removed,
    })
    .from(attempt)
    .where(and(eq(attempt.run, run), asOf === undefined ? undefined : lte(attempt.number, asOf)))
    .orderBy(asc(attempt.number));
  return ownedSpans(attempts).flatMap((span) => {
    const owner = attempts.find(({ number }) => number === span.attempt);
    if (!owner) return [];
    const { rolledTo, stale, outliers, removed } = owner;
    return around(span, [...outliers, ...removed]).map((part) => ({ ...part, rolledTo, stale }));
  });
}

/** What is left of a span without some steps: buckets that hold any of these are read from the steps beside them. */
function around(span: StepSpan, steps: readonly number[]): StepSpan[] {
  const inside = steps.filter((step) => step >= span.first && step <= span.last).sort((one, other) => one - other);
  const parts = inside.map((step, at) => ({
    ...span,
    first: at === 0 ? span.first : (inside[at - 1] ?? step) + 1,
    last: step - 1,
  }));
  const rest = { ...span, first: (inside.at(-1) ?? span.first - 1) + 1 };
  return [...parts, rest].filter(({ first, last }) => first <= last);
}

/** What of the timeline lies from one step to another, both included. */
export function clip(segments: readonly Segment[], from: number, to: number): Segment[] {
  return segments
    .map((segment) => ({ ...segment, first: Math.max(segment.first, from), last: Math.min(segment.last, to) }))
    .filter(({ first, last }) => first <= last);
}

/**
 * How to read segments with the fewest rows, from buckets of at most `size` steps, none reaching past its segment.
 * @param smallest the smallest level that there is of what is read; below it, and where nothing is rolled up yet, a
 * piece has the size 0: it is read from the steps themselves.
 */
export function cover(segments: readonly Segment[], size: number, smallest: 'raw values' | 'rollups'): Piece[] {
  const levels = smallest === 'raw values' ? [RAW_SIZE, ...ROLLUP_SIZES] : ROLLUP_SIZES;
  const sizes = levels.filter((each) => each <= size);
  return segments.flatMap((segment) => coverRange(segment, segment.first, segment.last + 1, sizes));
}

function coverRange(segment: Segment, from: number, until: number, sizes: readonly number[]): Piece[] {
  if (from >= until) return [];
  const size = sizes.at(-1);
  if (size === undefined) return [{ attempt: segment.attempt, size: UNROLLED, from, until }];
  const smaller = sizes.slice(0, -1);
  const pieces: Piece[] = [];
  let at = from;
  for (const right of rightRanges(segment, from, until, size)) {
    for (const piece of coverRange(segment, at, right.from, smaller)) pieces.push(piece);
    pieces.push({ attempt: segment.attempt, size, ...right });
    at = right.until;
  }
  return [...pieces, ...coverRange(segment, at, until, smaller)];
}

/** The whole buckets of a range that lie in rows which are rolled up, without those that hold a stale span. */
function rightRanges({ rolledTo, stale }: Segment, from: number, until: number, size: number) {
  const ranges: Pick<Piece, 'from' | 'until'>[] = [];
  const end = Math.min(floorTo(until, size), floorTo(rolledTo, rowSpan(size)));
  const stride = Math.max(size, STALE_SPAN);
  let at = -floorTo(-from, size);
  for (const start of stale) {
    const left = floorTo(start, stride);
    const right = left + stride;
    if (right <= at) continue;
    if (left >= end) break;
    if (at < left) ranges.push({ from: at, until: left });
    at = right;
  }
  if (at < end) ranges.push({ from: at, until: end });
  return ranges;
}

/** A multiple of `size` at or below a step. */
export function floorTo(step: number, size: number): number {
  return Math.floor(step / size) * size;
}
