import { sql } from 'drizzle-orm';
import { expect, test, vi } from 'vitest';
import { readChart } from './chart.ts';
import { planColumns } from './columns.ts';
import type { Database } from './database.ts';
import { forgetRollups, rollUp, runsToRollUp, runsWithSteps } from './rollup.ts';
import { rollup } from './schema.ts';
import { insertSteps } from './step.ts';
import { describeDatabases } from './testing.ts';
import { aStep, begin, NOW } from './testing-data.ts';

async function waitingForLocks(db: Database): Promise<number> {
  const { rows } = await db.sql.execute<{ waiting: number }>(sql`
    select count(*)::int as waiting from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`);
  return rows[0]?.waiting ?? 0;
}

describeDatabases('rollups', (db, url) => {
  const insert = async (run: string, from: number, count: number, loss: number) => {
    const steps = Array.from({ length: count }, (_, at) => aStep(from + at, { loss }));
    expect(await insertSteps(db(), [{ run, attempt: 1, steps }], NOW)).toEqual([null]);
  };

  test('a bucket is made once it is complete, of every level', async () => {
    const run = await begin(db());
    const starts = async () => {
      const rows = await db().sql.select().from(rollup).where(sql`run = ${run}`).orderBy(rollup.size, rollup.start);
      return rows.map(({ size, start }) => [size, start]);
    };
    await insert(run, 0, 63, 1);
    expect(await runsToRollUp(db())).not.toContain(run);
    await rollUp(db(), run);
    expect(await starts()).toEqual([]);
    await insert(run, 63, 1, 1);
    expect(await runsToRollUp(db())).toContain(run);
    await rollUp(db(), run);
    expect(await starts()).toEqual([[64, 0]]);
    await insert(run, 4000, 96, 1);
    await rollUp(db(), run);
    expect(await starts()).toEqual([
      [64, 0],
      [64, 3968],
      [64, 4032],
      [512, 0],
      [512, 3584],
      [4096, 0],
    ]);
    expect(await runsToRollUp(db())).not.toContain(run);
  });

  test('rollups that are wrong or gone are made anew from the steps, and those of other runs stay', async () => {
    const [run, other] = [await begin(db()), await begin(db())];
    for (const id of [run, other]) {
      await insert(id, 0, 600, 1);
      await rollUp(db(), id);
    }
    const rollups = (id: string) =>
      db().sql.select().from(rollup).where(sql`run = ${id}`).orderBy(rollup.size, rollup.start);
    const [right, others] = [await rollups(run), await rollups(other)];
    expect(right).toHaveLength(10);
    await db().sql.execute(sql`update ${rollup} set sum = array[7, 7, 7, 7, 7, 7] where run = ${run}`);
    await db().sql.execute(sql`delete from ${rollup} where run = ${run} and start = 64`);
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
    await insert(run, 2 ** 39, 64, 2);
    await rollUp(db(), run);
    const [row] = await db()
      .sql.select({ steps: sql<number>`sum(finite[1])::int` })
      .from(rollup)
      .where(sql`run = ${run} and size = 64`);
    expect(row?.steps).toBe(10_064);
  });

  /** Buckets that were written since, of every level. */
  const renewing = async (run: string, act: () => Promise<void>) => {
    const versions = async () => {
      const version = sql<string>`xmin::text || ctid::text`;
      const isRun = sql`run = ${run}`;
      const columns = { size: rollup.size, start: rollup.start, version };
      const rows = await db().sql.select(columns).from(rollup).where(isRun).orderBy(rollup.size, rollup.start);
      return new Map(rows.map(({ size, start, version }) => [`${size} from ${start}`, version]));
    };
    const before = await versions();
    await act();
    return [...(await versions())]
      .filter(([bucket, version]) => version !== before.get(bucket))
      .map(([bucket]) => bucket);
  };

  test('a late step has its buckets made again, and no others', async () => {
    const run = await begin(db());
    await insert(run, 0, 10_000, 1);
    await rollUp(db(), run);
    await insert(run, 10, 1, 99);
    await insert(run, 9_000, 1, 99);
    expect(await runsToRollUp(db())).toContain(run);
    const { pieces } = await planColumns(db().sql, { run, columns: 1 });
    expect(pieces.map(({ size, from, until }) => [size, from, until])).toEqual([
      [1, 0, 64],
      [64, 64, 512],
      [512, 512, 4096],
      [4096, 4096, 8192],
      [512, 8192, 8704],
      [64, 8704, 8960],
      [1, 8960, 9024],
      [64, 9024, 9216],
      [512, 9216, 9728],
      [64, 9728, 9984],
      [1, 9984, 10_000],
    ]);
    const renewed = ['64 from 0', '64 from 8960', '512 from 0', '512 from 8704', '4096 from 0'];
    expect(await renewing(run, () => rollUp(db(), run))).toEqual(renewed);
    expect(await runsToRollUp(db())).not.toContain(run);
    const { series } = await readChart(db(), { run, columns: 3 });
    expect(series.loss?.max).toEqual([99, 1, 99]);
  });

  test('buckets are stale until they are made again, also where a commit holds many of them', async () => {
    const run = await begin(db());
    const everyBucket = async (count: number, loss: number) => {
      const steps = Array.from({ length: count }, (_, at) => aStep(at * 64, { loss }));
      await insertSteps(db(), [{ run, attempt: 1, steps }], NOW);
    };
    const range = async (count: number) => {
      const { series } = await readChart(db(), { run, from: 0, to: count * 64 - 1, columns: 1 });
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
    await insert(run, 0, 24_576, 1);
    await rollUp(db(), run);
    const late = Array.from({ length: 257 }, (_, at) => aStep(4096 + at * 64, { loss: 2 }));
    await insertSteps(db(), [{ run, attempt: 1, steps: late }], NOW);
    const renewed = await renewing(run, () => rollUp(db(), run));
    const starts = renewed.map((bucket) => Number(bucket.split(' from ')[1]));
    expect(Math.min(...starts)).toBe(4096);
    expect(renewed).toHaveLength((24_576 - 4096) / 64 + (24_576 - 4096) / 512 + (24_576 - 4096) / 4096);
    const { series } = await readChart(db(), { run, columns: 6 });
    expect(series.loss?.max).toEqual([1, 2, 2, 2, 2, 2]);
  });

  test.for(['made', 'made again'])(
    'a late step that comes while its bucket is being %s is not lost',
    async (what, { skip }) => {
      skip(url() === null, 'PGlite has one connection, so nothing comes in between');
      const run = await begin(db());
      await insert(run, 0, 64, 1);
      if (what === 'made again') {
        await rollUp(db(), run);
        await insert(run, 20, 1, 2);
      }
      let rolling = Promise.resolve();
      let inserting = Promise.resolve();
      let inserted = false;
      await db().sql.transaction(async (tx) => {
        await tx.execute(sql`
        insert into rollup (run, attempt, size, start, time, array_steps, min, max, sum, finite, non_finite)
        values (${run}, 1, 64, 0, now(), '{}', '{}', '{}', '{}', '{}', '{}')
        on conflict (run, attempt, size, start) do update set tokens = null`);
        rolling = rollUp(db(), run); // has read the steps, and waits to write their bucket
        await vi.waitFor(async () => expect(await waitingForLocks(db())).toBe(1), 10_000);
        inserting = insert(run, 10, 1, 99).then(() => {
          inserted = true;
        });
        await vi.waitFor(async () => expect(inserted || (await waitingForLocks(db())) === 2).toBe(true), 10_000);
      });
      await Promise.all([rolling, inserting]);
      await rollUp(db(), run);
      await insert(run, 64, 2, 1);
      const { series, columnSteps } = await readChart(db(), { run, columns: 1 });
      expect([columnSteps, series.loss?.max]).toEqual([128, [99]]);
    },
  );
});
