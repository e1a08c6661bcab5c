import { ARRAY_FIELDS, CHARTED_FIELDS, FIRST_CUSTOM_METRIC, STEP_FIELDS, TIME_METRIC } from '@evenkeel/protocol';
import { type SQL, sql } from 'drizzle-orm';
import { arrayOf, INT4, INT8 } from '../drivers/array-wire.ts';
import { RAW_SIZE, rollup, rowSpan, scalarSet, scalarValues, step } from '../tables/schema.ts';
import type { Piece } from './timeline.ts';

/** What a bucket says of a metric. */
export const PARTS = ['min', 'max', 'sum', 'finite', 'non_finite'] as const;
type Part = (typeof PARTS)[number];

/** What adds up buckets to larger ones. */
export const TOTALS = sql.raw(PARTS.map((part) => `${total(part, part)} as ${part}`).join(', '));

function total(part: Part, column: string): string {
  return part === 'min' || part === 'max' ? `${part}(${column})` : `sum(${column})`;
}

/** A multiple of `size` at or below a step, as SQL: steps may be negative. */
export function floorSql(column: string, size: number): SQL {
  return sql.raw(`(${column} - ((${column} % ${size}) + ${size}) % ${size})`);
}

/** A scalar as a column of `step` has it. */
interface RawMetric {
  metric: number;
  /** The value as float8; null where the step does not carry it. */
  value: string;
  /** Whether it is finite wherever it is carried. */
  alwaysFinite: boolean;
}

/** Of every step: what all charts need, whichever metric they draw. */
const ALWAYS: readonly RawMetric[] = [
  { metric: TIME_METRIC, value: 'extract(epoch from time)::float8 * 1000', alwaysFinite: true },
  ...STEP_FIELDS.filter(({ kind }) => kind === 'count').map(({ name, metric }) => ({
    metric,
    value: `${step[name].name}::float8`,
    alwaysFinite: true,
  })),
];
const CHARTED: readonly RawMetric[] = CHARTED_FIELDS.map(({ name, metric }) => ({
  metric,
  value: step[name].name,
  alwaysFinite: false,
}));
/** The step itself, where it carries an array. */
const CARRIERS: readonly RawMetric[] = ARRAY_FIELDS.map(({ name, metric }) => ({
  metric,
  value: `case when ${step[name].name} is not null then step::float8 end`,
  alwaysFinite: true,
}));
/** Every metric that is made from the columns of `step`. */
export const STEP_METRICS: readonly number[] = [...ALWAYS, ...CHARTED, ...CARRIERS].map(({ metric }) => metric);

export function isCustom(metric: number): boolean {
  return metric >= FIRST_CUSTOM_METRIC;
}

/**
 * The steps of raw pieces as buckets of a width, counted from an origin, as rows (metric, at, min, max, sum, finite, non_finite). They are
 * added up by column before there is a row for each metric, which is some three times as fast; and what of a value is finite
 * is found once, beside it.
 */
export function stepBuckets(
  run: string,
  pieces: readonly Piece[],
  metrics: readonly number[],
  at: (column: string) => SQL,
): SQL {
  const wanted = [...ALWAYS, ...CHARTED, ...CARRIERS].filter(({ metric }) => metrics.includes(metric));
  const columns = wanted.flatMap(({ metric, value, alwaysFinite }) => {
    const finite = alwaysFinite ? value : `case when ${isFiniteSql(value)} then ${value} end`;
    return [`${finite} as value_${metric}`, ...(alwaysFinite ? [] : [`${value} as carried_${metric}`])];
  });
  const totals = wanted.flatMap((each) => PARTS.map((part) => `${rawTotal(part, each)} as ${part}_${each.metric}`));
  const rows = wanted.map(({ metric }) => `(${[metric, ...PARTS.map((part) => `${part}_${metric}`)].join(', ')})`);
  return sql`
    select metric, at, ${sql.raw(PARTS.map((part) => `parts.${part}`).join(', '))} from (
      select ${at('step')} as at, ${sql.raw(totals.join(', '))}
      from (${stepsOf(run, pieces, sql.raw(['step', ...columns].join(', ')))}) as raw
      group by 1
    ) as added cross join lateral (values ${sql.raw(rows.join(', '))})
      as parts (metric, ${sql.raw(PARTS.join(', '))})
    where parts.finite + parts.non_finite > 0`;
}

/** What adds up a part of the values that {@link stepBuckets} reads of a metric. */
function rawTotal(part: Part, { metric, alwaysFinite }: RawMetric): string {
  const value = `value_${metric}`;
  if (part === 'finite') return `count(${value})`;
  if (part === 'non_finite') return alwaysFinite ? '0' : `count(carried_${metric}) - count(${value})`;
  if (part === 'sum' && !alwaysFinite) return `${total(part, summable(value))} filter (where ${value} is not null)`;
  return total(part, value);
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

/**
 * The buckets of pieces that are rolled up, raw values of level 1 among them, as rows (metric, at, min, max, sum, finite, non_finite). Every
 * piece of every metric is looked up by its index range: `offset 0` keeps the planner from turning the look-ups into a
 * scan of the run.
 */
export function rolledBuckets(run: string, pieces: readonly Piece[], metrics: readonly number[]): SQL {
  const parts = PARTS.map((part) => {
    return `case when read.size = ${RAW_SIZE} then ${rawPart(part, 'bucket.min')} else bucket.${part} end as ${part}`;
  });
  return sql`
    select read.metric, bucket_at.at, ${sql.raw(parts.join(', '))}
    from ${unnestPieces(pieces)}
    cross join unnest(${arrayOf(INT4, metrics)}::int4[]) as wanted (metric)
    cross join lateral (
      select metric, size, start, offsets, min, max, sum, finite, non_finite from ${rollup}
      where run = ${run}::uuid and attempt = piece.attempt and metric = wanted.metric and size = piece.size
        and start > piece.from_step - piece.span and start < piece.until
      offset 0
    ) as read
    cross join lateral unnest(read.offsets, read.min, read.max, read.sum, read.finite, read.non_finite)
      with ordinality as bucket (offset_in_row, min, max, sum, finite, non_finite, place)
    cross join lateral (
      select read.start + coalesce(bucket.offset_in_row, bucket.place - 1) * read.size as at
    ) as bucket_at
    where bucket_at.at >= piece.from_step and bucket_at.at < piece.until`;
}

/** Some custom scalars of the raw steps of pieces as buckets of one, as rows (metric, at, min, max, sum, finite, non_finite). */
export function customBuckets(run: string, pieces: readonly Piece[], metrics: readonly number[]): SQL {
  const parts = PARTS.map((part) => `${rawPart(part, 'value')} as ${part}`);
  const reports = sql`
    select wanted.metric, read.step as at, read.values[wanted.place] as value, read.version
    from (${rowsOf(run, pieces)}) as read
    join (
      select id as set, metric, array_position(names, metric - ${FIRST_CUSTOM_METRIC}::int4) as place
      from ${scalarSet} cross join unnest(${arrayOf(INT4, metrics)}::int4[]) as asked (metric)
      where run = ${run}::uuid and names && array(select metric - ${FIRST_CUSTOM_METRIC}::int4 from unnest(${arrayOf(INT4, metrics)}::int4[]) as asked (metric))
    ) as wanted on wanted.set = read.set and wanted.place is not null`;
  return sql`select metric, at, ${sql.raw(parts.join(', '))} from (${newestOf(reports)}) as raw`;
}

/**
 * Custom scalars of the raw steps of pieces as rows (metric, at, value): those of some metrics that follow each other, as
 * the ids of a set do, so that a row's values are read as one slice of it.
 * @param sets those that these steps have. Where two share a name, of its reports at one step the newest is taken, which
 * sorts all of them.
 */
export function customValues(
  run: string,
  pieces: readonly Piece[],
  { first, last }: MetricRange,
  sets: 'overlap' | 'are apart',
): SQL {
  const [firstName, lastName] = [first - FIRST_CUSTOM_METRIC, last - FIRST_CUSTOM_METRIC];
  const reports = sql`
    select reported.name + ${FIRST_CUSTOM_METRIC}::int4 as metric, read.step as at, reported.value, read.version
    from (
      select id, names, count(*) filter (where name < ${firstName}::int4) + 1 as low, count(*) filter (where name <= ${lastName}::int4) as high
      from ${scalarSet} cross join lateral unnest(names) as name
      where run = ${run}::uuid group by run, id
    ) as sliced
    join (${rowsOf(run, pieces)}) as read on read.set = sliced.id
    cross join lateral unnest(sliced.names[low : high], read.values[low : high]) as reported (name, value)
    where low <= high`;
  return sets === 'overlap' ? newestOf(reports) : sql`select metric, at, value from (${reports}) as reports`;
}

/** Whether two sets of the raw steps of pieces share a name, as rows (overlap). */
export function overlapOfSets(run: string, pieces: readonly Piece[]): SQL {
  return sql`
    select exists (
      select from ${scalarSet} cross join lateral unnest(names) as name
      where run = ${run}::uuid and id in (select set from (${rowsOf(run, pieces)}) as read)
      group by name having count(*) > 1
    ) as overlap`;
}

/** Metrics that follow each other, both included. */
export interface MetricRange {
  first: number;
  last: number;
}

function rowsOf(run: string, pieces: readonly Piece[]): SQL {
  return sql`
    select read.* from ${unnestPieces(pieces)} cross join lateral (
      select step, set, values, version from ${scalarValues}
      where run = ${run}::uuid and attempt = piece.attempt and step >= piece.from_step and step < piece.until
      offset 0
    ) as read`;
}

/** Of reports of one metric at one step, which differ only where a trainer corrects itself, the newest. */
function newestOf(reports: SQL): SQL {
  return sql`
    select distinct on (metric, at) metric, at, value from (${reports}) as reports
    order by metric, at, version desc`;
}

function unnestPieces(pieces: readonly Piece[]): SQL {
  const column = (type: typeof INT4, read: (piece: Piece) => number) => arrayOf(type, pieces.map(read));
  return sql`unnest(
    ${column(INT4, ({ attempt }) => attempt)}::int4[],
    ${column(INT4, ({ size }) => size)}::int4[],
    ${column(INT8, ({ size }) => rowSpan(size))}::int8[],
    ${column(INT8, ({ from }) => from)}::int8[],
    ${column(INT8, ({ until }) => until)}::int8[])
    as piece (attempt, size, span, from_step, until)`;
}

/** A raw value as a bucket of one. */
function rawPart(part: Part, value: string): string {
  const finite = isFiniteSql(value);
  if (part === 'sum') return `case when ${finite} then ${summable(value)} end`;
  if (part === 'finite') return `case when ${finite} then 1 else 0 end`;
  if (part === 'non_finite') return `case when ${finite} or ${value} is null then 0 else 1 end`;
  return `case when ${finite} then ${value} end`;
}

/** NaN sorts above every number, infinity included. */
function isFiniteSql(value: string): string {
  return `${value} > '-infinity' and ${value} < 'infinity'`;
}

/** PostgreSQL refuses a sum that overflows, so what is summed keeps to ±1e150, and a mean beyond is drawn there. */
function summable(value: string): string {
  return `greatest(least(${value}, 1e150), -1e150)`;
}
