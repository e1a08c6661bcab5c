import { anyNumber } from '@evenkeel/protocol';
import { z } from 'zod';
import type { Found, StoredRun } from '../format.ts';
import type { SqlSource } from '../sql-source.ts';
import { configOf, endOf, factsOf, type Texts } from './facts.ts';

/** Whole numbers come as numbers, as BigInts, and from PostgreSQL as texts. */
const whole = z.union([z.number(), z.bigint(), z.string()]).transform(Number);

const runRow = z.object({
  run_uuid: z.string(),
  name: z.string().nullable(),
  status: z.string().nullable(),
  start_time: whole.nullable(),
  end_time: whole.nullable(),
  experiment: z.string(),
});

const metricRow = z.object({
  key: z.string(),
  value: anyNumber,
  timestamp: whole,
  step: whole,
  is_nan: z.union([z.boolean(), z.number()]).transform(Boolean),
});

const textRow = z.object({ key: z.string(), value: z.string().nullable() });

/** What stands for an infinity: the largest float64. */
const LARGEST = Number.MAX_VALUE;

/** The runs that are not deleted, the oldest first. */
export async function* databaseRuns(source: SqlSource): AsyncGenerator<StoredRun> {
  const runs = source.rows(`
    SELECT runs.run_uuid, runs.name, runs.status, runs.start_time, runs.end_time, experiments.name AS experiment
    FROM runs JOIN experiments ON experiments.experiment_id = runs.experiment_id
    WHERE runs.lifecycle_stage = 'active' ORDER BY runs.start_time, runs.run_uuid`);
  for await (const row of runs) {
    const { run_uuid: id, name, status, start_time, end_time, experiment } = runRow.parse(row);
    const { config, ...facts } = factsOf(await texts(source, 'tags', id));
    yield {
      id,
      project: experiment,
      name: name || id,
      ...(start_time !== null && { startedAt: start_time }),
      ...facts,
      config: { ...configOf(await texts(source, 'params', id)), ...config },
      read: () => readRun(source, id, endOf(status ?? '', end_time)),
    };
  }
}

async function texts(source: SqlSource, table: 'params' | 'tags', run: string): Promise<Texts> {
  const found = new Map<string, string>();
  for await (const row of source.rows(`SELECT key, value FROM ${table} WHERE run_uuid = $1 ORDER BY key`, run)) {
    const { key, value } = textRow.parse(row);
    found.set(key, value ?? '');
  }
  return found;
}

/** In the order of steps: asynchronous clients write in any. Of several points of one step the last stays. */
async function* readRun(source: SqlSource, run: string, end: Found): AsyncGenerator<Found> {
  const metrics = source.rows(
    'SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = $1 ORDER BY step, timestamp, key, value',
    run,
  );
  for await (const row of metrics) {
    const { key, value, timestamp, step, is_nan } = metricRow.parse(row);
    yield { kind: 'row', step, time: timestamp, values: { [key]: is_nan ? Number.NaN : infinityOf(value) } };
  }
  yield end;
}

function infinityOf(value: number): number {
  return Math.abs(value) < LARGEST ? value : Math.sign(value) * Number.POSITIVE_INFINITY;
}
