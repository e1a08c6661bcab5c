import { ARRAY_FIELDS, type StepArray } from '@evenkeel/protocol';
import { sql } from 'drizzle-orm';
import type { Database, Sql } from '../database.ts';
import { arrayOf, INT4, INT8 } from '../drivers/array-wire.ts';
import { step } from '../tables/schema.ts';
import { readBuckets } from './buckets.ts';
import { type ChartQuery, type Columns, planColumns } from './columns.ts';
import { clip } from './timeline.ts';

/** One array of a step along the run's timeline. */
export interface ArrayChart {
  /** The first step of each column that carries the array. */
  steps: number[];
  /** By column and element; NaN and infinities are null. */
  values: (number | null)[][];
}

const METRICS = new Map(ARRAY_FIELDS.map(({ name, metric }) => [name, metric]));

/** Buckets know the first of their steps that carries an array, so that only the steps drawn are read. */
export async function readArrayChart(db: Database, query: ChartQuery & { array: StepArray }): Promise<ArrayChart> {
  const plan = await planColumns(db.sql, query);
  const steps = await readCarriers(db.sql, query, plan);
  const rows = await readArrays(db.sql, query, plan, steps);
  return {
    steps: rows.map((row) => Number(row.step)),
    values: rows.map((row) => row.values.map((value) => (Number.isFinite(value) ? value : null))),
  };
}

type ArrayQuery = Parameters<typeof readArrayChart>[1];

async function readCarriers(db: Sql, { run, array }: ArrayQuery, plan: Columns): Promise<number[]> {
  const metric = METRICS.get(array);
  if (metric === undefined) throw new Error(`no array ${array}`);
  const carriers = (await readBuckets(db, run, plan, [metric])).get(metric) ?? new Map();
  return [...carriers.values()].map(({ min }) => Number(min)).sort((one, other) => one - other);
}

async function readArrays(db: Sql, { run, array }: ArrayQuery, { timeline }: Columns, steps: readonly number[]) {
  const attempts = steps.map((at) => clip(timeline, at, at)[0]?.attempt);
  const { rows } = await db.execute<{ step: number | string; values: number[] }>(sql`
    select step.step, ${step[array]} as values
    from unnest(${arrayOf(INT4, attempts)}::int4[], ${arrayOf(INT8, steps)}::int8[]) as wanted (attempt, step)
    join ${step} on step.run = ${run}::uuid and step.attempt = wanted.attempt and step.step = wanted.step
    order by 1`);
  return rows;
}
