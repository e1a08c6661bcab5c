import { sql } from 'drizzle-orm';
import { bucketsOf, PARTS, total } from './bucket-sql.ts';
import { type ChartQuery, type Columns, planColumns } from './columns.ts';
import type { Database, Sql } from './database.ts';
import { CHART_METRICS, type ChartMetric } from './schema.ts';

/** A metric by column. */
interface ChartSeries {
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
  series: Record<ChartMetric, ChartSeries>;
}

type Row = Record<string, string | number | null>;

/** Draws the run's timeline. Every column keeps its least and greatest value, so that no spike is sampled away. */
export async function readChart(db: Database, query: ChartQuery): Promise<Chart> {
  const plan = await planColumns(db.sql, query);
  const rows = await readColumns(db.sql, query, plan);
  const series = CHART_METRICS.map((metric, at) => [metric, seriesOf(rows, at, plan.width > 1)]);
  return {
    firstStep: plan.timeline[0]?.first ?? null,
    lastStep: plan.timeline.at(-1)?.last ?? null,
    columnSteps: plan.width,
    steps: rows.map((row) => Math.max(plan.first, plan.origin + Number(row.column) * plan.width)),
    series: Object.fromEntries(series) as Record<ChartMetric, ChartSeries>,
  };
}

async function readColumns(db: Sql, { run }: ChartQuery, { origin, width, pieces }: Columns): Promise<Row[]> {
  const totals = CHART_METRICS.flatMap((_, at) => PARTS.map((part) => `${total(part, at)}::float8 as ${part}_${at}`));
  const { rows } = await db.execute<Row>(sql`
    select (at - ${origin}::int8) / ${width}::int8 as "column", ${sql.raw(totals.join(', '))}
    from ${bucketsOf(run, pieces)} as bucket
    group by 1 order by 1`);
  return rows;
}

function seriesOf(rows: readonly Row[], metric: number, isRange: boolean): ChartSeries {
  const part = (name: (typeof PARTS)[number]) => rows.map((row) => row[`${name}_${metric}`] as number | null);
  const [min, finite] = [part('min'), part('finite')];
  const mean = part('sum').map((sum, at) => (sum === null ? null : sum / (finite[at] ?? 1)));
  return {
    mean: isRange ? mean : min, // of one value, exact however great
    min: isRange ? min : null,
    max: isRange ? part('max') : null,
    nonFinite: part('non_finite').map((count) => count ?? 0),
  };
}
