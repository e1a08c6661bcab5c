import { sql } from 'drizzle-orm';
import { stepsOf } from './bucket-sql.ts';
import type { Sql } from './database.ts';
import { ROLLUP_SIZES } from './schema.ts';
import { clip, cover, type Piece, readTimeline, type Segment } from './timeline.ts';

/** What to draw: a part of a run's timeline, in at most so many columns. */
export interface ChartQuery {
  run: string;
  /** First and last step to draw, both included. */
  from?: number;
  to?: number;
  /** Draws the timeline as it was in this attempt, before any later one. */
  attempt?: number | undefined;
  columns: number;
}

/** How a range of a timeline falls into columns. */
export interface Columns {
  timeline: readonly Segment[];
  /** The first step of the range. */
  first: number;
  /** Where the first column begins, at or before that. */
  origin: number;
  /** Steps that one column spans; 1 where each column is a step that exists. */
  width: number;
  /** What to read; no bucket lies in two columns. */
  pieces: readonly Piece[];
}

export async function planColumns(db: Sql, query: ChartQuery): Promise<Columns> {
  const timeline = await readTimeline(db, query.run, query.attempt);
  const range = clip(timeline, query.from ?? 0, query.to ?? Number.POSITIVE_INFINITY);
  const first = range[0]?.first ?? 0;
  const span = (range.at(-1)?.last ?? first) + 1 - first;
  const raw = cover(range, 1);
  if (span <= query.columns || (await areFew(db, query, raw))) {
    return { timeline, first, origin: first, width: 1, pieces: raw };
  }
  const size = ROLLUP_SIZES.findLast((each) => each <= span / query.columns) ?? 1;
  const origin = first - (first % size);
  const buckets = Math.ceil((first + span - origin) / size);
  return { timeline, first, origin, width: Math.ceil(buckets / query.columns) * size, pieces: cover(range, size) };
}

/** Whether the steps that exist need no more than the columns, however far apart they lie. */
async function areFew(db: Sql, { run, columns }: ChartQuery, pieces: readonly Piece[]): Promise<boolean> {
  const beyond = await db.execute(sql`${stepsOf(run, pieces, sql`step`)} offset ${columns} limit 1`);
  return beyond.rows.length === 0;
}
