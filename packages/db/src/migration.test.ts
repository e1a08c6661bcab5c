import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import { afterEach, expect, test } from 'vitest';
import { openDatabase } from './open.ts';
import { listAlerts } from './reads/alert-list.ts';
import { readArrayChart } from './reads/array-chart.ts';
import { readChart } from './reads/chart.ts';
import { getRun } from './reads/run.ts';
import { formerMigrations } from './testing.ts';
import { aRun, NOW } from './testing-data.ts';
import { createApiKey } from './writes/api-key.ts';
import { rollUp } from './writes/rollup.ts';
import { startRun } from './writes/run.ts';

const folder = mkdtempSync(join(tmpdir(), 'evenkeel-db-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const RUN = '01890a5d-ac96-774b-bcce-b302099a8057';

/** 130 steps with layers and a custom scalar, rolled up as far as buckets then went, and an alert. */
const FORMER_DATA = `
  insert into project (name, created_at) values ('keel', '2026-01-01');
  insert into run (id, project_id, name, status, config, tags, notes, layers, custom_names, started_at, heard_at, last_step)
    values ('${RUN}', 1, 'even', 'running', '{}', '{}', '', '{h0,h1}', '{evalLoss}', '2026-01-01', '2026-01-01', 129);
  insert into attempt (run, number, started_at, first_step, last_step, rolled_to, stale)
    values ('${RUN}', 1, '2026-01-01', 0, 129, 128, '{}');
  insert into step (run, attempt, step, time, loss, tokens, tev_quantiles, layer_grad_var, custom)
    select '${RUN}', 1, at, '2026-01-01'::timestamptz + at * interval '1 second', at, 100 * at,
      array_fill(at::real, array[9]), array[at, 1]::real[], array[at + 0.5]::real[]
    from generate_series(0, 129) as at;
  insert into rollup (run, attempt, size, start, min, max, sum, finite, non_finite, layer_step)
    values ('${RUN}', 1, 64, 0, '{7}', '{7}', '{7}', '{1}', '{0}', 0), ('${RUN}', 1, 64, 64, '{7}', '{7}', '{7}', '{1}', '{0}', 64);
  insert into alert (id, run, rule, severity, status, step, message, evidence, opened_at)
    values ('${RUN}', '${RUN}', 'loss-spike', 'warning', 'open', 70, 'it rises', '{}', '2026-01-02');`;

test('a database of the first version opens with all it held, and its rollups are rebuilt', async () => {
  const former = new PGlite(join(folder, 'postgres'));
  await migrate(drizzle(former), { migrationsFolder: formerMigrations(folder, 1) });
  await former.exec(FORMER_DATA);
  await former.close();

  await using db = await openDatabase({ dataDir: folder });
  expect(await listAlerts(db, { limit: 9 })).toMatchObject([{ rule: 'loss-spike', attempt: 1, window: [70, 70] }]);
  const query = { run: RUN, columns: 2 };
  const read = async () => [
    await readChart(db, { ...query, series: ['loss', 'custom:evalLoss'] }),
    await readArrayChart(db, { ...query, array: 'tevQuantiles' }),
    await readArrayChart(db, { ...query, array: 'layerGradVar' }),
  ];
  const fromSteps = await read();
  expect(fromSteps[0]).toMatchObject({
    tokens: [0, 12_800],
    times: [0, 128].map((step) => Date.UTC(2026, 0, 1) + 1_000 * step),
    series: { loss: { max: [127, 129] }, 'custom:evalLoss': { min: [0.5, 128.5] } },
  });
  expect(fromSteps[1]).toMatchObject({ steps: [0, 128], values: [{ 0: 0 }, { 0: 128 }] });
  expect(fromSteps[2]).toEqual({
    steps: [0, 128],
    values: [
      [0, 1],
      [128, 1],
    ],
  });
  await rollUp(db, RUN);
  expect(await read()).toEqual(fromSteps);
});

test('a run of the version before runs belonged to keys opens as the run of nobody, which a key may claim', async () => {
  mkdirSync(folder, { recursive: true });
  const former = new PGlite(join(folder, 'postgres'));
  await migrate(drizzle(former), { migrationsFolder: formerMigrations(folder, 9) });
  await former.exec(`
    insert into project (name, created_at) values ('keel', '2026-01-01');
    insert into run (id, project_id, name, status, config, tags, notes, layers, custom_names, started_at, heard_at)
      values ('${RUN}', 1, 'even', 'running', '{}', '{}', '', '{}', '{}', '2026-01-01', '2026-01-01');
    insert into attempt (run, number, started_at, rolled_to, stale) values ('${RUN}', 1, '2026-01-01', 0, '{}');`);
  await former.close();

  await using db = await openDatabase({ dataDir: folder });
  expect(await getRun(db, RUN)).toMatchObject({ name: 'even', attempts: [{ number: 1, keys: [] }] });
  const { key } = await createApiKey(db, 'cluster', NOW);
  expect(await startRun(db, aRun({ run: RUN }), NOW, key.id)).toEqual({ changedHands: true });
  expect(await getRun(db, RUN)).toMatchObject({ attempts: [{ number: 1, keys: [{ name: 'cluster' }] }] });
});
