import { eq, sql } from 'drizzle-orm';
import { bucketsOf, PARTS, total } from './bucket-sql.ts';
import { type ChartQuery, type Columns, planColumns } from './columns.ts';
import type { Database, Sql } from './database.ts';
import { metricOf, type SeriesKey } from './metric.ts';
import { CHART_METRICS, run } from './schema.ts';

/** A metric by column. */
export interface ChartSeries {
  /** Of the finite values; null where there is none. */
  mean: (number | null)[];
  /** Null where a column is one step. */
  min: (number | null)[] | null;
  max: (number | null)[] | null;
  /** How many values were NaN or infinite. */
  nonFinite: number[];
}

export interface Chart {
  /** First and last step of the run's whole timeline; null where it has none. */
  firstStep: number | null;
  lastStep: number | null;
  /** Steps that one column spans; 1 where each column is a step. */
  columnSteps: number;
  /** First step of each column that has data. */
  steps: number[];
  /** When each column began, in milliseconds since 1970, and the tokens seen then; null where that was not told. */
  times: number[];
  tokens: (number | null)[];
  /** By what was asked for; without those custom scalars that the run does not have. */
  series: Partial<Record<SeriesKey, ChartSeries>>;
}

export interface SeriesQuery extends ChartQuery {
  /** All but custom scalars where it is absent. */
  series?: readonly SeriesKey[] | undefined;
}

/** A value of every column in turn. */
type Values = (number | null)[];

/** Draws the run's timeline. Every column keeps its least and greatest value, so that no spike is sampled away. */
export async function readChart(db: Database, query: SeriesQuery): Promise<Chart> {
  const metrics = await metricsOf(db.sql, query);
  const plan = await planColumns(db.sql, query);
  const read = await readColumns(db.sql, query.run, plan, [...new Set(metrics.values())]);
  const numbers = (name: string) => read[name] ?? [];
  return {
    firstStep: plan.timeline[0]?.first ?? null,
    lastStep: plan.timeline.at(-1)?.last ?? null,
    columnSteps: plan.width,
    steps: numbers('column').map((column) => Math.max(plan.first, plan.origin + (column ?? 0) * plan.width)),
    times: numbers('time').map((time) => time ?? 0),
    tokens: numbers('tokens'),
    series: Object.fromEntries([...metrics].map(([key, at]) => [key, seriesOf(numbers, at, plan.width > 1)])),
  };
}

async function metricsOf(db: Sql, query: SeriesQuery): Promise<Map<SeriesKey, number>> {
  const keys = query.series ?? CHART_METRICS;
  const names = keys.some((key) => key.startsWith('custom:')) ? await customNamesOf(db, query.run) : [];
  const metrics = keys.map((key) => [key, metricOf(key, names)] as const);
  return new Map(metrics.filter((metric): metric is [SeriesKey, number] => metric[1] !== null));
}

/** In the order of `step.custom`. */
export async function customNamesOf(db: Sql, id: string): Promise<string[]> {
  const [found] = await db.select({ names: run.customNames }).from(run).where(eq(run.id, id));
  return found?.names ?? [];
}

/** A list for each part of each metric: as rows, a driver would take as long to read the fields as the database to find them. */
async function readColumns(
  db: Sql,
  run: string,
  { origin, width, pieces }: Columns,
  metrics: readonly number[],
): Promise<Record<string, Values | null>> {
  const parts = metrics.flatMap((at) =>
    PARTS.map((part) => ({ name: `${part}_${at}`, value: `${total(part, at)}::float8` })),
  );
  const values = [
    { name: 'time', value: 'extract(epoch from min(time))::float8 * 1000' },
    { name: 'tokens', value: 'min(tokens)::float8' },
    ...parts,
  ];
  const lists = ['"column"', ...values.map(({ name }) => name)].map((name) => `json_agg(${name}) as ${name}`);
  const { rows } = await db.execute<Record<string, Values | null>>(sql`
    select ${sql.raw(lists.join(', '))} from (
      select (at - ${origin}::int8) / ${width}::int8 as "column",
        ${sql.raw(values.map(({ name, value }) => `${value} as ${name}`).join(', '))}
      from ${bucketsOf(run, pieces, metrics)} as bucket
      group by 1 order by 1) as column_values`);
  return rows[0] ?? {};
}

function seriesOf(numbers: (name: string) => Values, metric: number, isRange: boolean): ChartSeries {
  const part = (name: (typeof PARTS)[number]) => numbers(`${name}_${metric}`);
  const [min, finite] = [part('min'), part('finite')];
  const mean = part('sum').map((sum, at) => (sum === null ? null : sum / (finite[at] ?? 1)));
  return {
    mean: isRange ? mean : min, // of one value, exact however great
    min: isRange ? min : null,
    max: isRange ? part('max') : null,
    nonFinite: part('non_finite').map((count) => count ?? 0),
  };
}
