import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { IngestServer } from './testing.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-emit-'));
  const entryPoints = [join(import.meta.dirname, 'index.ts')];
  await build({ entryPoints, outfile: join(folder, 'emit.cjs'), bundle: true, platform: 'node', format: 'cjs' });
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a trainer in a process of its own. */
function train(server: string, loop: string) {
  const program = `(async () => {
    const run = await require('./emit.cjs').startRun({ server: '${server}', project: 'demo', name: 'child', onWarning() {} });
    ${loop}
  })()`;
  const child = spawn(process.execPath, ['-e', program], { cwd: folder, stdio: 'inherit', timeout: 20_000 });
  return { child, exit: once(child, 'exit') };
}

test('a trainer that forgets finish exits while it is connected', async () => {
  await using server = await IngestServer.listen();
  const { exit } = train(
    server.url,
    'run.log({ step: 1 }); while (run.pending) await new Promise((wake) => setTimeout(wake, 5));',
  );
  expect(await exit).toEqual([0, null]);
  expect(server.acceptedSteps).toEqual([1]);
});

test('a trainer that forgets finish exits while the server is away', async () => {
  const { exit } = train('http://127.0.0.1:9', 'run.log({ step: 1 });');
  expect(await exit).toEqual([0, null]);
});

test('finish alone keeps a trainer alive until everything is delivered', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  const { child, exit } = train(
    server.url,
    "run.log({ step: 1 }); const { delivered } = await run.finish('finished', undefined, { timeoutMs: 15_000 }); process.exitCode = delivered ? 7 : 8;",
  );
  await once(child, 'spawn');
  await server.start();
  expect(await exit).toEqual([7, null]);
  expect(server.heard.map(({ event }) => event)).toEqual(['run:start', 'steps', 'run:finish']);
});

test('a server that hangs holds a trainer no longer than finish does', async () => {
  await using server = await IngestServer.listen();
  server.answer = ({ event }) => (event === 'run:start' ? { ok: true } : null);
  const { exit } = train(
    server.url,
    "run.log({ step: 1 }); await run.finish('finished', undefined, { timeoutMs: 100 });",
  );
  expect(await exit).toEqual([0, null]);
});

test('a script that waits for drained and for nothing else delivers every step', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  const { child, exit } = train(server.url, 'run.log({ step: 1 }); run.log({ step: 2 }); await run.drained();');
  await once(child, 'spawn');
  await server.start();
  expect(await exit).toEqual([0, null]);
  expect(server.acceptedSteps).toEqual([1, 2]);
});

test('top-level await of drained does not end with code 13', async () => {
  await using server = await IngestServer.listen();
  const program = `
    import emit from './emit.cjs';
    const run = await emit.startRun({ server: '${server.url}', project: 'demo', name: 'child' });
    run.log({ step: 1 });
    await run.drained();
    process.exitCode = 7;`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: folder, stdio: 'inherit' });
  expect(await once(child, 'exit')).toEqual([7, null]);
  expect(server.acceptedSteps).toEqual([1]);
});
