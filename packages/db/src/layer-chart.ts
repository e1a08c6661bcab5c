import { eq, sql } from 'drizzle-orm';
import { arrayOf, INT4, INT8 } from './array-wire.ts';
import { bucketsOf } from './bucket-sql.ts';
import { type ChartQuery, type Columns, planColumns } from './columns.ts';
import type { Database, Sql } from './database.ts';
import { run, step } from './schema.ts';
import { clip } from './timeline.ts';

export interface LayerChart {
  layers: string[];
  /** The first step of each column that carries `layerGradVar`. */
  steps: number[];
  /** By column and layer; NaN and infinities are null. */
  gradVar: (number | null)[][];
}

/** Buckets know the first of their steps that carries layers, so that only the steps drawn are read. */
export async function readLayerChart(db: Database, query: ChartQuery): Promise<LayerChart> {
  const [found] = await db.sql.select({ layers: run.layers }).from(run).where(eq(run.id, query.run));
  const layers = found?.layers ?? [];
  const plan = await planColumns(db.sql, query);
  const steps = layers.length > 0 ? await readLayerSteps(db.sql, query, plan) : [];
  const rows = await readLayers(db.sql, query.run, plan, steps);
  const gradVar = rows.map((row) => row.values.map((value) => (Number.isFinite(value) ? value : null)));
  return { layers, steps: rows.map((row) => row.step), gradVar };
}

async function readLayerSteps(db: Sql, query: ChartQuery, { origin, width, pieces }: Columns): Promise<number[]> {
  const { rows } = await db.execute<{ step: number | string | null }>(sql`
    select min(layer_step) as step from ${bucketsOf(query.run, pieces)} as bucket
    where layer_step is not null
    group by (at - ${origin}::int8) / ${width}::int8 order by 1`);
  return rows.map((row) => Number(row.step));
}

interface Layers {
  step: number;
  values: number[];
}

async function readLayers(db: Sql, id: string, { timeline }: Columns, steps: readonly number[]): Promise<Layers[]> {
  const attempts = steps.map((at) => clip(timeline, at, at)[0]?.attempt);
  const { rows } = await db.execute<{ step: number | string; values: number[] }>(sql`
    select step.step, step.layer_grad_var as values
    from unnest(${arrayOf(INT4, attempts)}::int4[], ${arrayOf(INT8, steps)}::int8[]) as wanted (attempt, step)
    join ${step} on step.run = ${id}::uuid and step.attempt = wanted.attempt and step.step = wanted.step
    order by 1`);
  return rows.map((row) => ({ step: Number(row.step), values: row.values }));
}
