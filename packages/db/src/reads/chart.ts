import { TIME_METRIC, TOKENS_METRIC } from '@evenkeel/protocol';
import type { Database } from '../database.ts';
import { type Bucket, readBuckets } from './buckets.ts';
import { type ChartQuery, planColumns } from './columns.ts';
import { CHARTED, CHARTED_WHERE_REPORTED, metricsOf, type SeriesKey } from './metric.ts';

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
  /** When each column began, in milliseconds since 1970, and the tokens seen then; null where that was not reported. */
  times: number[];
  tokens: (number | null)[];
  /**
   * By what was asked for; without those custom scalars that the run does not have, and without those fields charted
   * where reported that no step here carries.
   */
  series: Partial<Record<SeriesKey, ChartSeries>>;
}

export interface SeriesQuery extends ChartQuery {
  /** All but custom scalars where it is absent. */
  series?: readonly SeriesKey[] | undefined;
}

/** Draws the run's timeline. Every column keeps its minimum and maximum, so that no spike is sampled away. */
export async function readChart(db: Database, query: SeriesQuery): Promise<Chart> {
  const metrics = await metricsOf(db.sql, query.run, query.series ?? CHARTED);
  const plan = await planColumns(db.sql, query);
  const wanted = new Set([TIME_METRIC, TOKENS_METRIC, ...metrics.values()]);
  const buckets = await readBuckets(db.sql, query.run, plan, [...wanted]);
  const times = [...(buckets.get(TIME_METRIC) ?? [])].sort(([one], [other]) => one - other);
  const columns = times.map(([column]) => column);
  const tokens = buckets.get(TOKENS_METRIC);
  return {
    firstStep: plan.timeline[0]?.first ?? null,
    lastStep: plan.timeline.at(-1)?.last ?? null,
    columnSteps: plan.width,
    steps: columns.map((column) => Math.max(plan.first, plan.origin + column * plan.width)),
    times: times.map(([, { min }]) => Number(min)), // every step has one
    tokens: columns.map((column) => tokens?.get(column)?.min ?? null),
    series: Object.fromEntries(
      [...metrics]
        .filter(([key, metric]) => !CHARTED_WHERE_REPORTED.has(key) || buckets.has(metric))
        .map(([key, metric]) => [key, seriesOf(columns, buckets.get(metric), plan.width > 1)]),
    ),
  };
}

function seriesOf(
  columns: readonly number[],
  buckets: ReadonlyMap<number, Bucket> | undefined,
  isRange: boolean,
): ChartSeries {
  const found = columns.map((column) => buckets?.get(column) ?? null);
  const min = found.map((bucket) => bucket?.min ?? null);
  return {
    mean: isRange ? found.map(meanOf) : min, // of one value, exact however great
    min: isRange ? min : null,
    max: isRange ? found.map((bucket) => bucket?.max ?? null) : null,
    nonFinite: found.map((bucket) => bucket?.nonFinite ?? 0),
  };
}

function meanOf(bucket: Bucket | null): number | null {
  return bucket?.sum == null ? null : bucket.sum / bucket.finite;
}
