import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { getRun, openDatabase, recentSteps } from '@evenkeel/db';
import { freePort, temporaryFolder } from '@evenkeel/testing';
import { expect, test } from 'vitest';
import { evenkeel, serve } from './evenkeel.ts';

const MINUTES = 60_000;
const EMIT = pathToFileURL(join(import.meta.dirname, '../../../packages/emit/dist/index.mjs')).href;

/** Starts a trainer in a process of its own, in a folder; it logs a step every few milliseconds. */
function train(cwd: string, server: string) {
  const program = `
    import { startRun } from '${EMIT}';
    const run = await startRun({ server: '${server}', project: 'lab', name: 'killed', config: { lr: 1 }, onWarning() {} });
    let step = 0;
    setInterval(() => { run.log({ step, loss: 1 / ++step, custom: { accuracy: step } }); }, 2);
    setInterval(() => console.log(run.id + ' has logged ' + step), 100);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd,
    env: { ...process.env, EVENKEEL_SPOOL: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const logged = () => Number(/ has logged (\d+)\n$/.exec(output)?.[1] ?? 0);
  return { child, ended: once(child, 'close'), logged, run: () => /^\S+/.exec(output)?.[0] ?? '' };
}

test('a trainer killed while the server was away: evenkeel sync brings every step that it had written', {
  timeout: 5 * MINUTES,
}, async () => {
  using folder = temporaryFolder();
  const spool = join(folder.path, '.evenkeel/spool');
  const dataDir = join(folder.path, 'data');
  const port = String(await freePort());
  const first = await serve(dataDir, port);
  const { child, ended, logged, run } = train(folder.path, first.url);
  await expect.poll(logged).toBeGreaterThan(100);
  first.child.kill('SIGKILL');
  await first.ended;
  await expect.poll(() => existsSync(spool) && readdirSync(spool).length).toBe(1);
  const opened = logged();
  await expect.poll(logged).toBeGreaterThan(opened + 500); // so that what was logged before is written
  child.kill('SIGKILL');
  await ended;

  await using nobody = evenkeel(['sync', spool, '--server', first.url]);
  expect(await nobody.ended).toBe(1);
  expect(nobody.output()).toMatch(/is kept: http.*cannot be reached.*\n(.*\n)*evenkeel: 1 file could not be sent/);
  {
    await using server = await serve(dataDir, port);
    await using sync = evenkeel(['sync', spool, '--server', server.url]);
    expect([await sync.ended, sync.output()]).toEqual([
      0,
      expect.stringMatching(/: \d+ steps sent\n1 file of 1 with /),
    ]);
    await using again = evenkeel(['sync', '--json', '--server', server.url], { EVENKEEL_SPOOL: spool });
    expect([await again.ended, again.output()]).toEqual([0, '']);
    await using typo = evenkeel(['sync', `${spool}s`, '--server', server.url]);
    expect([await typo.ended, typo.output()]).toEqual([1, `evenkeel: there is no folder ${spool}s\n`]);
  }
  expect(readdirSync(spool)).toEqual([]);
  await using db = await openDatabase({ dataDir });
  expect(await getRun(db, run())).toMatchObject({ name: 'killed', config: { lr: 1 } });
  const steps = await recentSteps(db, { run: run(), limit: 100_000 });
  expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: steps.length }, (_, step) => step));
  expect(steps.length).toBeGreaterThanOrEqual(opened);
  expect(steps.at(-1)).toMatchObject({ loss: 1 / steps.length, custom: { accuracy: steps.length } });
});

test('a file that the server refuses stays, and its words are printed', { timeout: 5 * MINUTES }, async () => {
  using folder = temporaryFolder();
  const spool = join(folder.path, '.evenkeel/spool');
  const dataDir = join(folder.path, 'data');
  const { child, ended } = train(folder.path, 'http://127.0.0.1:9');
  await expect.poll(() => existsSync(spool) && readdirSync(spool).length).toBe(1);
  child.kill('SIGTERM');
  await ended;
  await using create = evenkeel(['key', 'create', 'lab', '--data-dir', dataDir, '--json']);
  expect(await create.ended).toBe(0);
  await using server = await serve(dataDir);
  await using keyless = evenkeel(['sync', spool, '--server', server.url]);
  expect(await keyless.ended).toBe(1);
  expect(keyless.output()).toMatch(/\.spool is kept: .*refuses this client: key: .*ingest key/);
  await using keyed = evenkeel(['sync', spool, '--json', '--server', server.url], {
    EVENKEEL_KEY: JSON.parse(create.output()).secret,
  });
  expect([await keyed.ended, JSON.parse(keyed.facts())]).toMatchObject([0, { status: 'sent', lost: 0, reason: null }]);
  await using runs = evenkeel(['runs', '--json', '--server', server.url]);
  expect([await runs.ended, JSON.parse(runs.facts())]).toMatchObject([0, { status: 'stopped' }]);
});
