import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { SyncedFile } from './public.ts';
import { syncSpool } from './sync-spool.ts';
import { IngestServer, range } from './testing.ts';

let folder: string;
/** Of the trainer: a new one for each test. */
let cwd: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-emit-'));
  const entryPoints = [join(import.meta.dirname, 'index.ts')];
  await build({ entryPoints, outfile: join(folder, 'emit.cjs'), bundle: true, platform: 'node', format: 'cjs' });
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  cwd = await mkdtemp(join(folder, 'trainer-'));
});

/** Runs a trainer in a process of its own, whose spool is where it is by default. */
function train(server: string, loop: string, options = {}, before = '') {
  const start = JSON.stringify({ server, project: 'demo', name: 'child', ...options });
  const program = `(async () => {
    let run;
    ${before}
    run = await require('${join(folder, 'emit.cjs')}').startRun({ ...${start}, onWarning() {} });
    ${loop}
  })()`;
  const child = spawn(process.execPath, ['-e', program], {
    cwd,
    env: { ...process.env, EVENKEEL_SPOOL: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 200_000,
    killSignal: 'SIGKILL',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const printed = (words: string) => vi.waitFor(() => expect(output).toContain(words), 60_000);
  return { child, exit: once(child, 'close'), printed, output: () => output };
}

const SPOOL = '.evenkeel/spool';
const spooled = () => (existsSync(join(cwd, SPOOL)) ? readdirSync(join(cwd, SPOOL)) : []);

async function sync(server: string): Promise<SyncedFile[]> {
  const synced: SyncedFile[] = [];
  for await (const file of syncSpool({ server, folder: join(cwd, SPOOL) })) synced.push(file);
  return synced;
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
  expect(server.received.map(({ event }) => event)).toEqual(['run:start', 'steps', 'run:finish']);
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
    import emit from '${join(folder, 'emit.cjs')}';
    const run = await emit.startRun({ server: '${server.url}', project: 'demo', name: 'child' });
    run.log({ step: 1 });
    await run.drained();
    process.exitCode = 7;`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd, stdio: 'inherit' });
  expect(await once(child, 'exit')).toEqual([7, null]);
  expect(server.acceptedSteps).toEqual([1]);
});

/** Logs a step every few milliseconds, and says when the spool has a file. */
const LOG_AND_SAY_SPOOLED = `
  let step = 0;
  setInterval(() => { run.log({ step: step, loss: 1 / ++step }); }, 2);
  const seen = setInterval(() => {
    if (!require('fs').existsSync('${SPOOL}')) return;
    clearInterval(seen);
    const logged = step;
    setTimeout(() => console.log('spooled ' + logged + ' of ' + run.id + ' '), 1_000);
  }, 50);`;

test('kill -9 while the server is away: what was logged before the last write is delivered by syncSpool', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  const { child, exit, printed, output } = train(server.url, LOG_AND_SAY_SPOOLED);
  await printed('spooled');
  child.kill('SIGKILL');
  await exit;
  const [, logged, run] = /spooled (\d+) of (\S+)/.exec(output()) ?? [];
  await server.start();
  expect(await sync(server.url)).toMatchObject([{ status: 'sent', run, lost: 0 }]);
  expect(server.acceptedSteps).toEqual(range(0, server.acceptedSteps.length));
  expect(server.acceptedSteps.length).toBeGreaterThanOrEqual(Number(logged));
  expect(server.received.map(({ event }) => event)).not.toContain('run:finish'); // nobody knows how it ended
  expect(spooled()).toEqual([]);
});

test('a process that ends with steps pending leaves them, and the next run of the folder sends them', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  const first = train(server.url, 'for (let step = 0; step < 1000; step++) run.log({ step }); process.exit(3);');
  expect(await first.exit).toEqual([3, null]);
  expect(spooled()).toHaveLength(1);
  await server.start();
  const second = train(
    server.url,
    "run.log({ step: 1000 }); await run.finish(); while (require('fs').readdirSync('.evenkeel/spool').length) await new Promise((wake) => setTimeout(wake, 10));",
  );
  expect(await second.exit).toEqual([0, null]);
  expect([...server.acceptedSteps].sort((a, b) => a - b)).toEqual(range(0, 1001));
});

test.each([
  ['an exception', "setTimeout(() => { throw new Error('the disk is gone'); });"],
  ['a rejection', "Promise.reject(new Error('the disk is gone'));"],
])(
  '%s that nothing catches: Node prints it and exits with 1, and the run has failed, with the message',
  async (_, throwIt) => {
    await using server = await IngestServer.listen();
    const { exit, output } = train(server.url, `run.log({ step: 1 }); ${throwIt}`);
    expect(await exit).toEqual([1, null]);
    expect(output()).toMatch(/Error: the disk is gone\n +at /);
    expect(await sync(server.url)).toMatchObject([{ status: 'sent' }]);
    expect(server.accepted.at(-1)).toMatchObject({ step: 1 });
    expect(server.received.at(-1)).toMatchObject({
      event: 'run:finish',
      payload: { status: 'failed', reason: 'the disk is gone' },
    });
  },
);

test('an exception that the trainer handles itself ends nothing', async () => {
  await using server = await IngestServer.listen();
  const loop = `
    process.on('uncaughtException', () => run.finish('finished'));
    run.log({ step: 1 });
    setTimeout(() => { throw new Error('caught'); });`;
  expect(await train(server.url, loop).exit).toEqual([0, null]);
  expect(spooled()).toEqual([]);
  expect(server.received.at(-1)).toMatchObject({ event: 'run:finish', payload: { status: 'finished' } });
});

const RUN_ON = "console.log('started'); run.log({ step: 1 }); setInterval(() => {}, 1_000);";

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s ends the run as stopped, then the process by the signal',
  async (signal) => {
    await using server = await IngestServer.listen();
    const { child, exit, printed } = train(server.url, RUN_ON);
    await printed('started');
    await expect.poll(() => server.acceptedSteps).toEqual([1]); // what a signal leaves no time for is kept in the spool
    child.kill(signal);
    expect(await exit).toEqual([null, signal]);
    expect(server.received.at(-1)).toMatchObject({
      event: 'run:finish',
      payload: { status: 'stopped', reason: signal },
    });
    expect(spooled()).toEqual([]);
  },
);

test('SIGTERM while the server is away: the end and the steps are in the spool, and the signal ends the process', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  const { child, exit, printed } = train(server.url, RUN_ON);
  await printed('started');
  child.kill('SIGTERM');
  expect(await exit).toEqual([null, 'SIGTERM']);
  await server.start();
  expect(await sync(server.url)).toMatchObject([{ status: 'sent', steps: 1 }]);
  expect(server.received.at(-1)).toMatchObject({
    event: 'run:finish',
    payload: { status: 'stopped', reason: 'SIGTERM' },
  });
});

test('a signal that the trainer listens to, also once, is left to it', async () => {
  await using server = await IngestServer.listen();
  const own = `process.once('SIGTERM', async () => {
    await run.finish('finished', 'by itself');
    setTimeout(() => process.exit(5), 300);
  });`;
  const { child, exit, printed } = train(server.url, RUN_ON, {}, own);
  await printed('started');
  child.kill('SIGTERM');
  expect(await exit).toEqual([5, null]);
  expect(server.received.at(-1)).toMatchObject({ payload: { status: 'finished', reason: 'by itself' } });
});

test('with handleExit: false neither a signal nor an exception ends the run', async () => {
  await using server = await IngestServer.listen();
  const signaled = train(server.url, RUN_ON, { handleExit: false });
  await signaled.printed('started');
  await expect.poll(() => server.acceptedSteps).toEqual([1]);
  signaled.child.kill('SIGTERM');
  expect(await signaled.exit).toEqual([null, 'SIGTERM']);
  const loop = "run.log({ step: 2 }); await run.drained(); throw new Error('none of its business');";
  expect(await train(server.url, loop, { handleExit: false }).exit).toEqual([1, null]);
  expect(server.received.map(({ event }) => event)).not.toContain('run:finish');
  expect(spooled()).toEqual([]);
});
