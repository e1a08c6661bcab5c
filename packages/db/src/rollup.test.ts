import { sql } from 'drizzle-orm';
import { expect, test, vi } from 'vitest';
import { readChart } from './chart.ts';
import type { Database } from './database.ts';
import { rollUp, runsToRollUp } from './rollup.ts';
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

  test('a late step that comes while its bucket is being made is not lost', async ({ skip }) => {
    skip(url() === null, 'PGlite has one connection, so nothing comes in between');
    const run = await begin(db());
    await insert(run, 0, 64, 1);
    let rolling = Promise.resolve();
    let inserting = Promise.resolve();
    let inserted = false;
    await db().sql.transaction(async (tx) => {
      await tx.execute(sql`
        insert into rollup (run, attempt, size, start, min, max, sum, finite, non_finite)
        values (${run}, 1, 64, 0, '{}', '{}', '{}', '{}', '{}')`);
      rolling = rollUp(db(), run); // has read the steps, and waits to write their bucket
      await vi.waitFor(async () => expect(await waitingForLocks(db())).toBe(1));
      inserting = insert(run, 10, 1, 99).then(() => {
        inserted = true;
      });
      await vi.waitFor(async () => expect(inserted || (await waitingForLocks(db())) === 2).toBe(true));
    });
    await Promise.all([rolling, inserting]);
    await rollUp(db(), run);
    await insert(run, 64, 2, 1);
    const { series, columnSteps } = await readChart(db(), { run, columns: 1 });
    expect([columnSteps, series.loss.max]).toEqual([128, [99]]);
  });
});
