import { type SQL, sql } from 'drizzle-orm';
import type { Sql } from '../database.ts';
import { customBuckets, isCustom, PARTS, rolledBuckets, stepBuckets, TOTALS } from './bucket-sql.ts';
import { type Columns, piecesOf } from './columns.ts';

/** What a column of a chart holds of one metric. */
export interface Bucket {
  /** Of the finite values, as the sum is; null where there is none. */
  min: number | null;
  max: number | null;
  sum: number | null;
  /** How many values were finite, and how many were not. */
  finite: number;
  nonFinite: number;
}

type Lists = { metric: number; column: number[] } & { [Part in (typeof PARTS)[number]]: (number | null)[] };

/** Reads metrics by column, counted from the plan's origin. A column without a value of a metric has no bucket of it. */
export async function readBuckets(
  db: Sql,
  run: string,
  plan: Columns,
  metrics: readonly number[],
): Promise<Map<number, Map<number, Bucket>>> {
  const { origin, width } = plan;
  // Lists: as rows, a driver would take as long to read the fields as the database to find them.
  const lists = ['"column"', ...PARTS].map((name) => `json_agg(${name}) as ${name}`);
  const { rows } = await db.execute<Lists>(sql`
    select metric, ${sql.raw(lists.join(', '))} from (
      select metric, (at - ${origin}::int8) / ${width}::int8 as "column", ${TOTALS}
      from (${bucketsOf(run, plan, metrics)}) as buckets
      group by 1, 2) as columns
    group by metric`);
  return new Map(rows.map((lists) => [lists.metric, byColumn(lists)]));
}

function bucketsOf(run: string, plan: Columns, metrics: readonly number[]): SQL {
  const [custom, own] = [metrics.filter(isCustom), metrics.filter((metric) => !isCustom(metric))];
  const atColumn = (step: string) =>
    sql`${sql.raw(step)} - (${sql.raw(step)} - ${plan.origin}::int8) % ${plan.width}::int8`;
  const { raw, rolled } = piecesOf(plan, 'rollups');
  const sources = [stepBuckets(run, raw, own, atColumn), rolledBuckets(run, rolled, own)];
  if (custom.length > 0) {
    const pieces = piecesOf(plan, 'raw values');
    sources.push(customBuckets(run, pieces.raw, custom), rolledBuckets(run, pieces.rolled, custom));
  }
  return sql.join(sources, sql` union all `);
}

function byColumn(lists: Lists): Map<number, Bucket> {
  return new Map(
    lists.column.map((column, at) => [
      column,
      {
        min: lists.min[at] ?? null,
        max: lists.max[at] ?? null,
        sum: lists.sum[at] ?? null,
        finite: countAt(lists.finite, at),
        nonFinite: countAt(lists.non_finite, at),
      },
    ]),
  );
}

function countAt(counts: readonly (number | null)[], at: number): number {
  const count = counts[at];
  if (count == null) throw new Error('a bucket without a count');
  return count;
}
