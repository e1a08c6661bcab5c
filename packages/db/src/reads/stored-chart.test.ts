import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { describeDatabases } from '../testing.ts';
import { begin } from '../testing-data.ts';
import { readArrayChart } from './array-chart.ts';
import { readChart } from './chart.ts';

const STEPS = 2048; // one row of buckets of 64
const BUCKETS = Array.from({ length: STEPS / 64 }, (_, at) => at);

/**
 * A run as it lies in a database that exists: steps without values, so that what is drawn comes from the rollups alone.
 * These hold, under every number that was ever given, values by which it is known.
 */
const STORED = (run: string) => sql`
  with steps as (
    insert into step (run, attempt, step, time, tev_quantiles, layer_grad_var, layer_out_var)
    select ${run}::uuid, 1, step, '2026-01-01', array_fill(8::real, array[9]), '{9}', '{10}' from generate_series(0, 2047) as step
  ), names as (
    insert into scalar_name (run, id, name) values (${run}, 0, 'a'), (${run}, 1, 'b')
  ), raw_values as (
    insert into rollup (run, attempt, metric, size, start, min)
    select ${run}::uuid, 1, metric, 1, 0, array_fill(metric::float8, array[128]) from generate_series(1000, 1001) as metric
  ), buckets as (
    insert into rollup (run, attempt, metric, size, start, min, max, sum, finite, non_finite)
    select ${run}::uuid, 1, metric, 64, 0, array_fill(metric::float8, array[32]), array_fill(metric + 0.5::float8, array[32]),
      array_fill(64 * (metric + 0.25)::float8, array[32]), array_fill(64::int2, array[32]), array_fill(0::int2, array[32])
    from (select generate_series(0, 7) union select generate_series(1000, 1001)) as known (metric)
    union all
    select ${run}::uuid, 1, metric, 64, 0, firsts, firsts, firsts, array_fill(64::int2, array[32]), array_fill(0::int2, array[32])
    from generate_series(8, 10) as metric, lateral (
      select array_agg(64 * at + metric::float8 order by at) from generate_series(0, 31) as at
    ) as carriers (firsts)
  )
  update attempt set first_step = 0, last_step = 2047, rolled_to = 2048 where run = ${run}`;

describeDatabases('a stored chart', (db) => {
  test('shows under each name the numbers that were rolled up under it', async () => {
    const run = await begin(db(), { layers: ['h0'] });
    await db().sql.execute(STORED(run));
    const chart = await readChart(db(), {
      run,
      columns: BUCKETS.length,
      series: ['loss', 'tevMean', 'tevStd', 'gradVar', 'gradNorm', 'lr', 'custom:a', 'custom:b'],
    });
    const of = (metric: number) => ({
      min: BUCKETS.map(() => metric),
      max: BUCKETS.map(() => metric + 0.5),
      mean: BUCKETS.map(() => metric + 0.25),
      nonFinite: BUCKETS.map(() => 0),
    });
    expect(chart).toMatchObject({ columnSteps: 64, times: BUCKETS.map(() => 0), tokens: BUCKETS.map(() => 7) });
    expect(chart.series).toEqual({
      loss: of(1),
      tevMean: of(2),
      tevStd: of(3),
      gradVar: of(4),
      gradNorm: of(5),
      lr: of(6),
      'custom:a': of(1000),
      'custom:b': of(1001),
    });
    const near = await readChart(db(), { run, from: 0, to: 99, columns: 100, series: ['custom:a', 'custom:b'] });
    expect(near.series['custom:a']?.mean).toEqual(Array(100).fill(1000));
    expect(near.series['custom:b']?.mean).toEqual(Array(100).fill(1001));
  });

  test('shows the arrays of the steps that were rolled up as carrying them', async () => {
    const run = await begin(db(), { layers: ['h0'] });
    await db().sql.execute(STORED(run));
    for (const [array, metric] of [
      ['tevQuantiles', 8],
      ['layerGradVar', 9],
      ['layerOutVar', 10],
    ] as const) {
      const chart = await readArrayChart(db(), { run, columns: BUCKETS.length, array });
      expect(chart.steps, array).toEqual(BUCKETS.map((at) => 64 * at + metric));
    }
  });
});
