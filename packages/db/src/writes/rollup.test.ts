import { TIME_METRIC } from '@evenkeel/protocol';
import { sql } from 'drizzle-orm';
import { expect, test, vi } from 'vitest';
import type { Database } from '../database.ts';
import { readChart } from '../reads/chart.ts';
import { piecesOf, planColumns } from '../reads/columns.ts';
import { runsToRollUp, runsWithSteps } from '../reads/rollup.ts';
import { rollup, STALE_SPAN } from '../tables/schema.ts';
import { describeDatabases } from '../testing.ts';
import { aStep, begin, NOW } from '../testing-data.ts';
import { forgetRollups, rollUp } from './rollup.ts';
import { insertSteps } from './step.ts';

async function waitingForLocks(db: Database): Promise<number> {
  const { rows } = await db.sql.execute<{ waiting: number }>(sql`
    select count(*)::int as waiting from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`);
  return rows[0]?.waiting ?? 0;
}

describeDatabases('rollups', (db, _url, kind) => {
  const insert = async (
    run: string,
    from: number,
    count: number,
    loss: number,
    custom: Record<string, number> | null = null,
  ) => {
    const steps = Array.from({ length: count }, (_, at) => aStep(from + at, { loss, custom }));
    expect(await insertSteps(db(), [{ run, attempt: 1, steps }], NOW)).toEqual([[]]);
  };

  test('a row is built once all that it spans is complete, of every level', async () => {
    const run = await begin(db());
    const starts = async () => {
      const rows = await db()
        .sql.selectDistinct({ size: rollup.size, start: rollup.start })
        .from(rollup)
        .where(sql`run = ${run}`)
        .orderBy(rollup.size, rollup.start);
      return rows.map(({ size, start }) => [size, start]);
    };
    await insert(run, 0, 127, 1, { speed: 1 });
    expect(await runsToRollUp(db())).not.toContain(run);
    await rollUp(db(), run);
    expect(await starts()).toEqual([]);
    await insert(run, 127, 1, 1, { speed: 1 });
    expect(await runsToRollUp(db())).toContain(run);
    await rollUp(db(), run);
    expect(await starts()).toEqual([[1, 0]]);
    await insert(run, 2000, 48, 1);
    await rollUp(db(), run);
    expect(await starts()).toEqual([
      [1, 0],
      [64, 0],
    ]);
    await insert(run, 16_000, 384, 1, { speed: 1 });
    await insert(run, 131_000, 72, 1);
    await rollUp(db(), run);
    expect(await starts()).toEqual([
      [1, 0],
      [1, 16_000],
      [1, 16_128],
      [1, 16_256],
      [64, 0],
      [64, 14_336],
      [64, 129_024],
      [512, 0],
      [512, 114_688],
      [4096, 0],
    ]);
    expect(await runsToRollUp(db())).not.toContain(run);
  });

  test('rollups that are wrong or gone are rebuilt from the steps, and those of other runs stay', async () => {
    const [run, other] = [await begin(db()), await begin(db())];
    for (const id of [run, other]) {
      await insert(id, 0, 5_000, 1);
      await rollUp(db(), id);
    }
    const rollups = (id: string) =>
      db().sql.select().from(rollup).where(sql`run = ${id}`).orderBy(rollup.metric, rollup.size, rollup.start);
    const [right, others] = [await rollups(run), await rollups(other)];
    expect(right).toHaveLength(2 * 2); // loss and time, two rows of 2,048 steps each
    await db().sql.execute(sql`update ${rollup} set sum = array[7, 7, 7, 7, 7, 7] where run = ${run}`);
    await db().sql.execute(sql`delete from ${rollup} where run = ${run} and start = 2048`);
    expect(await runsWithSteps(db())).toEqual(expect.arrayContaining([run, other]));
    await forgetRollups(db(), run);
    expect(await rollups(run)).toEqual([]);
    await rollUp(db(), run);
    expect(await rollups(run)).toEqual(right);
    expect(await rollups(other)).toEqual(others);
  });

  test('more steps than one chunk are rolled up whole', async () => {
    const run = await begin(db());
    await insert(run, 0, 10_000, 1);
    await insert(run, 2 ** 39, 2048, 2);
    await rollUp(db(), run);
    const { rows } = await db().sql.execute<{ steps: number }>(sql`
      select sum(steps)::int as steps from ${rollup}, unnest(finite) as steps
      where run = ${run} and size = 64 and metric = ${TIME_METRIC}`);
    expect(rows[0]?.steps).toBe(10_000 - (10_000 % 2048) + 2048 + (10_000 % 2048));
  });

  /** Buckets that were written since, of every level. */
  const renewing = async (run: string, act: () => Promise<void>) => {
    const versions = async () => {
      const version = sql<string>`xmin::text || ctid::text`;
      const isRun = sql`run = ${run}`;
      const columns = { size: rollup.size, start: rollup.start, version };
      const isLoss = sql`${isRun} and metric = 1`;
      const rows = await db().sql.select(columns).from(rollup).where(isLoss).orderBy(rollup.size, rollup.start);
      return new Map(rows.map(({ size, start, version }) => [`${size} from ${start}`, version]));
    };
    const before = await versions();
    await act();
    return [...(await versions())]
      .filter(([bucket, version]) => version !== before.get(bucket))
      .map(([bucket]) => bucket);
  };

  test('a late step has its rows built again, and no others', async () => {
    const run = await begin(db());
    await insert(run, 0, 20_000, 1);
    await rollUp(db(), run);
    await insert(run, 10, 1, 99);
    await insert(run, 18_000, 1, 99);
    expect(await runsToRollUp(db())).toContain(run);
    const pieces = piecesOf(await planColumns(db().sql, { run, columns: 1 }), 'rollups');
    const ranges = (of: typeof pieces.raw) => of.map(({ size, from, until }) => [size, from, until]);
    expect(ranges(pieces.raw)).toEqual([
      [0, 0, 128],
      [0, 17_920, 18_048],
      [0, 18_432, 20_000],
    ]);
    expect(ranges(pieces.rolled)).toEqual([
      [64, 128, 512],
      [512, 512, 16_384],
      [64, 16_384, 17_920],
      [64, 18_048, 18_432],
    ]);
    const renewed = ['64 from 0', '64 from 16384', '512 from 0'];
    expect(await renewing(run, () => rollUp(db(), run))).toEqual(renewed);
    expect(await runsToRollUp(db())).not.toContain(run);
    const { series } = await readChart(db(), { run, columns: 3 });
    expect(series.loss?.max).toEqual([99, 1, 99]);
  });

  test('buckets are stale until they are made again, also where a commit holds many of them', async () => {
    const run = await begin(db());
    const everyBucket = async (count: number, loss: number) => {
      const steps = Array.from({ length: count }, (_, at) => aStep(at * STALE_SPAN, { loss }));
      await insertSteps(db(), [{ run, attempt: 1, steps }], NOW);
    };
    const range = async (count: number) => {
      const { series } = await readChart(db(), { run, from: 0, to: count * STALE_SPAN - 1, columns: 1 });
      return [series.loss?.min, series.loss?.max];
    };
    await everyBucket(1024, 1);
    await rollUp(db(), run);
    for (const [count, loss] of [
      [256, 2],
      [257, 3],
      [1024, 4],
    ] as const) {
      await everyBucket(count, loss);
      expect(await range(count)).toEqual([[loss], [loss]]);
      await rollUp(db(), run);
      expect(await range(count)).toEqual([[loss], [loss]]);
      expect(await runsToRollUp(db())).not.toContain(run);
    }
  });

  test('stale buckets that are too many are made again with all after them, and with none before', async () => {
    const run = await begin(db());
    await insert(run, 0, 49_152, 1);
    await rollUp(db(), run);
    const late = Array.from({ length: 257 }, (_, at) => aStep(4096 + at * STALE_SPAN, { loss: 2 }));
    await insertSteps(db(), [{ run, attempt: 1, steps: late }], NOW);
    const renewed = await renewing(run, () => rollUp(db(), run));
    expect(renewed).toHaveLength((49_152 - 4096) / 2048 + 49_152 / 16_384);
    expect(renewed[0]).toBe('64 from 4096');
    const { series } = await readChart(db(), { run, columns: 6 });
    expect(series.loss?.max).toEqual([2, 2, 2, 2, 2, 1]);
  });

  if (kind === 'postgres') {
    // PGlite has one connection, so nothing comes in between
    test.for(['built', 'built again'])('a late step that comes while its row is being %s is not lost', async (what) => {
      const run = await begin(db());
      await insert(run, 0, 2048, 1);
      if (what === 'built again') {
        await rollUp(db(), run);
        await insert(run, 20, 1, 2);
      }
      let rolling = Promise.resolve();
      let inserting = Promise.resolve();
      let inserted = false;
      await db().sql.transaction(async (tx) => {
        await tx.execute(sql`
        insert into rollup (run, attempt, metric, size, start, min) values (${run}, 1, 1, 64, 0, '{}')
        on conflict (run, attempt, metric, size, start) do update set offsets = null`);
        rolling = rollUp(db(), run); // has read the steps, and waits to write their bucket
        await vi.waitFor(async () => expect(await waitingForLocks(db())).toBe(1), 30_000);
        inserting = insert(run, 10, 1, 99).then(() => {
          inserted = true;
        });
        await vi.waitFor(async () => expect(inserted || (await waitingForLocks(db())) === 2).toBe(true), 30_000);
      });
      await Promise.all([rolling, inserting]);
      await rollUp(db(), run);
      const { series, columnSteps } = await readChart(db(), { run, columns: 1 });
      expect([columnSteps, series.loss?.max]).toEqual([2048, [99]]);
    });

    test('steps are stored while rows are being built', async () => {
      const run = await begin(db());
      await insert(run, 0, 2048, 1);
      let rolling = Promise.resolve();
      await db().sql.transaction(async (tx) => {
        await tx.execute(
          sql`insert into rollup (run, attempt, metric, size, start, min) values (${run}, 1, 1, 64, 0, '{}')`,
        );
        rolling = rollUp(db(), run); // waits to write this row
        await vi.waitFor(async () => expect(await waitingForLocks(db())).toBe(1), 30_000);
        await insert(run, 2048, 1, 1);
        await insert(run, 10, 1, 99);
      });
      await rolling;
      const { series } = await readChart(db(), { run, columns: 1, to: 2047 });
      expect(series.loss?.max).toEqual([99]);
    });
  }

  const rollupsOf = async (run: string) => {
    const rows = await db().sql.select().from(rollup).where(sql`run = ${run}`);
    const key = (row: (typeof rows)[number]) => `${row.metric} ${row.size} ${row.start}`;
    return rows.sort((one, other) => key(one).localeCompare(key(other)));
  };

  test('hundreds of scalars are built in parts, and a late step between two of them is not lost', async () => {
    const run = await begin(db());
    const wide = (step: number) => Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`s${at}`, step + at]));
    const store = async (steps: readonly number[], custom: (step: number) => Record<string, number>) => {
      const events = steps.map((step) => aStep(step, { loss: 1, custom: custom(step) }));
      expect(await insertSteps(db(), [{ run, attempt: 1, steps: events }], NOW)).toEqual([[]]);
    };
    await store([...Array(256).keys()], wide);
    const rolling = rollUp(db(), run);
    for (const step of [3, 130, 250, 7])
      await store([step], () => ({ s0: -step, s150: -step, s299: -step, late: step }));
    await rolling;
    while ((await runsToRollUp(db())).includes(run)) await rollUp(db(), run);
    const { series } = await readChart(db(), { run, columns: 256, series: ['custom:s299', 'custom:late'] });
    const values = series['custom:s299']?.mean ?? [];
    expect([3, 7, 130, 250, 8].map((step) => values[step])).toEqual([-3, -7, -130, -250, 8 + 299]);
    const built = await rollupsOf(run);
    await forgetRollups(db(), run);
    await rollUp(db(), run);
    expect(built).toEqual(await rollupsOf(run));
  });

  test('rollups that are thrown away while they are being built are not written again by that build', async () => {
    const run = await begin(db());
    await insert(run, 0, 5_000, 1, { speed: 1 });
    const rolling = rollUp(db(), run);
    await forgetRollups(db(), run);
    await rolling;
    await rollUp(db(), run);
    const right = await rollupsOf(run);
    await forgetRollups(db(), run);
    await rollUp(db(), run);
    expect(await rollupsOf(run)).toEqual(right);
  });
});
