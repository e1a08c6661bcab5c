import { STEP_ARRAYS } from '@evenkeel/protocol';
import { type SQL, sql } from 'drizzle-orm';
import { arrayOf, INT4, INT8 } from './array-wire.ts';
import { metricSql } from './metric.ts';
import { rollup, step } from './schema.ts';
import type { Piece } from './timeline.ts';

/** What a bucket says of each metric: the columns `min_0`, `max_0`, …, by the metric's place (see `metric.ts`). */
export const PARTS = ['min', 'max', 'sum', 'finite', 'non_finite'] as const;
type Part = (typeof PARTS)[number];

/** The first step that carries each array of a step: the columns `array_0`, …, in the order of `STEP_ARRAYS`. */
export const ARRAY_STEPS = STEP_ARRAYS.map((_, at) => `array_${at}`);

/**
 * The buckets of pieces as rows (at, time, tokens, array_0, …, min_0, max_0, …), a raw step being a bucket of one.
 * Every piece is looked up by its index range: `offset 0` keeps the planner from turning the look-ups into a scan of
 * the run.
 */
export function bucketsOf(run: string, pieces: readonly Piece[], metrics: readonly number[]): SQL {
  const raw = pieces.filter(({ size }) => size === 1);
  const rolled = pieces.filter(({ size }) => size > 1);
  return sql`(${stepsOf(run, raw, stepColumns(metrics))} union all ${rollupsOf(run, rolled, metrics)})`;
}

/** Some columns of the raw steps of pieces. */
export function stepsOf(run: string, pieces: readonly Piece[], columns: SQL): SQL {
  return sql`
    select read.* from ${unnestPieces(pieces)} cross join lateral (
      select ${columns} from ${step}
      where run = ${run}::uuid and attempt = piece.attempt and step >= piece.from_step and step < piece.until
      order by step offset 0
    ) as read`;
}

function rollupsOf(run: string, pieces: readonly Piece[], metrics: readonly number[]): SQL {
  return sql`
    select read.* from ${unnestPieces(pieces)} cross join lateral (
      select ${rollupColumns(metrics)} from ${rollup}
      where run = ${run}::uuid and attempt = piece.attempt and size = piece.size
        and start >= piece.from_step and start < piece.until
      offset 0
    ) as read`;
}

function unnestPieces(pieces: readonly Piece[]): SQL {
  const attempts = arrayOf(
    INT4,
    pieces.map(({ attempt }) => attempt),
  );
  const sizes = arrayOf(
    INT4,
    pieces.map(({ size }) => size),
  );
  const from = arrayOf(
    INT8,
    pieces.map((piece) => piece.from),
  );
  const until = arrayOf(
    INT8,
    pieces.map((piece) => piece.until),
  );
  return sql`unnest(${attempts}::int4[], ${sizes}::int4[], ${from}::int8[], ${until}::int8[])
    as piece (attempt, size, from_step, until)`;
}

/** How a part of a metric adds up over buckets. */
export function total(part: Part, metric: number): string {
  const column = `${part}_${metric}`;
  return part === 'min' || part === 'max' ? `${part}(${column})` : `sum(${column})`;
}

function stepColumns(metrics: readonly number[]): SQL {
  const arrays = STEP_ARRAYS.map((name, at) => `case when ${step[name].name} is not null then step end as array_${at}`);
  return columnsOf(['step as at', 'time', 'tokens', ...arrays], metrics, (part, metric) =>
    stepPart(part, metricSql(metric)),
  );
}

function rollupColumns(metrics: readonly number[]): SQL {
  const arrays = ARRAY_STEPS.map((name, at) => `array_steps[${at + 1}] as ${name}`);
  return columnsOf(['start as at', 'time', 'tokens', ...arrays], metrics, (part, metric) => `${part}[${metric + 1}]`);
}

function columnsOf(
  first: readonly string[],
  metrics: readonly number[],
  write: (part: Part, metric: number) => string,
): SQL {
  const parts = metrics.flatMap((at) => PARTS.map((part) => `${write(part, at)} as ${part}_${at}`));
  return sql.raw([...first, ...parts].join(', '));
}

/**
 * A raw value as a bucket of one. NaN sorts above every number, infinity included. PostgreSQL refuses a sum that
 * overflows, so what is summed keeps to ±1e150, and a mean beyond is drawn there.
 */
function stepPart(part: Part, column: string): string {
  const within = `${column} > '-infinity' and ${column} < 'infinity'`;
  if (part === 'sum') return `case when ${within} then greatest(least(${column}, 1e150), -1e150) end`;
  if (part === 'finite') return `case when ${within} then 1 else 0 end`;
  if (part === 'non_finite') return `case when ${within} or ${column} is null then 0 else 1 end`;
  return `case when ${within} then ${column} end`;
}
