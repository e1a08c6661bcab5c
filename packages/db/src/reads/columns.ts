import { MAX_STEP, MIN_STEP } from '@evenkeel/protocol';
import { sql } from 'drizzle-orm';
import type { Sql } from '../database.ts';
import { ROLLUP_SIZES } from '../tables/schema.ts';
import { stepsOf } from './bucket-sql.ts';
import { clip, cover, floorTo, type Piece, readTimeline, type Segment, UNROLLED } from './timeline.ts';

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
  /** What of it lies in the range. */
  range: readonly Segment[];
  /** The first step of the range. */
  first: number;
  /** Where the first column begins, at or before that. */
  origin: number;
  /** Steps that one column spans; 1 where each column is a step that exists. */
  width: number;
  /** The largest bucket that does not lie in two columns. */
  size: number;
}

export async function planColumns(db: Sql, query: ChartQuery): Promise<Columns> {
  const timeline = await readTimeline(db, query.run, query.attempt);
  const range = clip(timeline, query.from ?? MIN_STEP, query.to ?? MAX_STEP);
  const first = range[0]?.first ?? 0;
  const span = (range.at(-1)?.last ?? first) + 1 - first;
  const plan = { timeline, range, first };
  if (span <= query.columns || (await areFew(db, query, range))) return { ...plan, origin: first, width: 1, size: 1 };
  const size = ROLLUP_SIZES.findLast((each) => each <= span / query.columns) ?? 1;
  const origin = floorTo(first, size);
  const buckets = Math.ceil((first + span - origin) / size);
  return { ...plan, origin, width: Math.ceil(buckets / query.columns) * size, size };
}

/** Whether the steps that exist need no more than the columns, however far apart they lie. */
async function areFew(db: Sql, { run, columns }: ChartQuery, range: readonly Segment[]): Promise<boolean> {
  const pieces = cover(range, UNROLLED, 'rollups');
  const beyond = await db.execute(sql`${stepsOf(run, pieces, sql`step`)} offset ${columns} limit 1`);
  return beyond.rows.length === 0;
}

/** What a query over the columns reads from: buckets of whole rows first, raw steps where there are none. */
export function piecesOf(
  { range, size }: Columns,
  smallest: 'raw values' | 'rollups',
): { raw: Piece[]; rolled: Piece[] } {
  const pieces = cover(range, size, smallest);
  return {
    raw: pieces.filter((piece) => piece.size === UNROLLED),
    rolled: pieces.filter((piece) => piece.size !== UNROLLED),
  };
}
