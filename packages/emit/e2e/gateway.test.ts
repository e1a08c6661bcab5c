import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
// @boundaries-ignore the test of both ends: as a dependency of the package, its source could import it too
import { getRun, recentSteps } from '../../db/src/index.ts';
// @boundaries-ignore as above
import { startTestGateway, type TestGateway } from '../../gateway/src/testing.ts';
import { type StartRunOptions, startRun, syncSpool } from '../src/index.ts';

// What trainers install, against the gateway that stores what they send: only tests of either may import the other.

let server: TestGateway;
let folder: string;
beforeAll(async () => {
  server = await startTestGateway();
});
afterAll(async () => {
  expect(server.errors).toEqual([]);
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-emit-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const start = (more: Partial<StartRunOptions> = {}) =>
  startRun({
    server: server.url,
    project: 'lab',
    name: 'a run',
    onWarning: () => {},
    spool: false,
    handleExit: false,
    ...more,
  });
/** A server that nobody can reach. */
const AWAY = 'http://127.0.0.1:1';
const attemptsOf = async (run: string) => (await getRun(server.db, run))?.attempts.map(({ number }) => number);

async function sync(): Promise<unknown[]> {
  const files: unknown[] = [];
  for await (const file of syncSpool({ server: server.url, folder })) files.push(file);
  return files;
}

describe('what emit left out', () => {
  const tooLong = 'x'.repeat(501);
  // @ts-expect-error none of these is a number
  const WRONG: { step: number } = { step: 0, loss: 1n, lr: '0.1', gradVar: {}, custom: { [tooLong]: 1 } };
  const LEFT_OUT = ['loss', 'lr', 'gradVar'].map((field) => ({ field, reason: 'not a number', count: 2 }));
  const ALL = [...LEFT_OUT, { field: `custom.${'x'.repeat(200)}`, reason: 'bad name', count: 2 }];
  const byField = (values: readonly { field: string }[] | undefined) =>
    values?.toSorted((a, b) => a.field.localeCompare(b.field));

  test('is with the run on the server, once, also where the connection breaks', async () => {
    const run = await start();
    run.log(WRONG);
    await expect.poll(async () => (await getRun(server.db, run.id))?.droppedValues).toBe(4); // not only at the end
    run.log(WRONG);
    server.breakConnections();
    const { dropped, delivered } = await run.finish();
    expect({ delivered, dropped: byField(dropped) }).toEqual({ delivered: true, dropped: byField(ALL) });
    expect(byField((await getRun(server.db, run.id))?.dropped)).toEqual(byField(ALL));
  });

  test('is in the spool of a run that could not reach the server', async () => {
    const run = await start({ server: AWAY, spool: folder });
    for (let time = 0; time < 2; time++) run.log(WRONG);
    expect(await run.finish('failed', 'no server', { timeoutMs: 0 })).toMatchObject({ delivered: false, pending: 2 });
    expect(await sync()).toMatchObject([{ status: 'sent', steps: 2 }]);
    const found = await getRun(server.db, run.id);
    expect(found).toMatchObject({ status: 'failed', reason: 'no server' });
    expect(byField(found?.dropped)).toEqual(byField(ALL));
  });
});

describe('an attempt that the server counts', () => {
  test('next is one attempt, however often the connection breaks', async () => {
    const first = await start();
    first.log({ step: 7, loss: 1 });
    await first.finish('failed');
    const run = await start({ id: first.id, attempt: 'next' });
    expect(run.attempt).toBeNull();
    run.log({ step: 8, loss: 1 });
    expect(await run.opened()).toEqual({ attempt: 2, lastStep: null });
    expect(run.attempt).toBe(2);
    await run.drained();
    server.breakConnections();
    run.log({ step: 9, loss: 1 });
    expect(await run.finish()).toMatchObject({ delivered: true });
    expect(await getRun(server.db, run.id)).toMatchObject({
      status: 'finished',
      attempts: [
        { number: 1, status: 'failed', lastStep: 7 },
        { number: 2, status: 'finished', firstStep: 8, lastStep: 9 },
      ],
    });
  });

  test('resume goes on with an attempt that has not ended, and says its last step', async () => {
    const first = await start();
    for (const step of [0, 1, 2]) first.log({ step, loss: 1 });
    await first.drained();
    const run = await start({ id: first.id, attempt: 'resume' });
    expect(await run.opened()).toEqual({ attempt: 1, lastStep: 2 });
    await run.finish('failed');
    const next = await start({ id: first.id, attempt: 'resume' });
    expect(await next.opened()).toEqual({ attempt: 2, lastStep: null });
    await next.finish();
    await first.finish();
    expect(await attemptsOf(first.id)).toEqual([1, 2]);
  });

  test('runs that could not reach the server are the attempts in the order in which they were', async () => {
    const first = await start();
    await first.finish('failed');
    const lives = [10, 20].map(async (step) => {
      const run = await start({ server: AWAY, id: first.id, attempt: 'next', spool: folder });
      run.log({ step, loss: step });
      expect(await run.finish('failed', undefined, { timeoutMs: 0 })).toMatchObject({ pending: 1 });
      expect([run.attempt, await run.opened()]).toEqual([null, null]);
    });
    await Promise.all(lives);
    expect(readdirSync(folder)).toHaveLength(2);
    expect(await sync()).toMatchObject([
      { attempt: 2, status: 'sent' },
      { attempt: 3, status: 'sent' },
    ]);
    expect(await recentSteps(server.db, { run: first.id, limit: 9 })).toMatchObject([{ step: 10 }, { step: 20 }]);
    const found = await getRun(server.db, first.id);
    expect(found?.attempts).toMatchObject([
      {},
      { status: 'failed', firstStep: 10 },
      { status: 'failed', firstStep: 20 },
    ]);
  });

  test('what a process could not send is of the attempt that it was given, also where a later one has begun', async () => {
    const first = await start();
    await first.finish('failed');
    const run = await start({ id: first.id, attempt: 'next', spool: folder });
    expect(await run.opened()).toMatchObject({ attempt: 2 });
    run.log({ step: 3, loss: 1 });
    expect(await run.finish('stopped', undefined, { timeoutMs: 0 })).toMatchObject({ delivered: false });
    const later = await start({ id: first.id, attempt: 'next' });
    expect(await later.opened()).toMatchObject({ attempt: 3 });
    expect(await sync()).toMatchObject([{ attempt: 2, status: 'sent' }]);
    await later.finish();
    const found = await getRun(server.db, first.id);
    expect(found?.attempts).toMatchObject([{}, { status: 'stopped', firstStep: 3 }, { firstStep: null }]);
  });

  test.each([0, 1.5, 'newest'])('attempt %s is refused by its name', async (attempt) => {
    await expect(start({ attempt: attempt as number })).rejects.toThrow(/^startRun: attempt: /);
  });
});

test('the configuration keeps integers beyond 2^53 and what is not finite', async () => {
  const config = { seed: 2n ** 63n + 1n, optimizer: { clip: Infinity, betas: [0.9, Number.NaN] }, note: 'NaN' };
  const run = await start({ config });
  expect(await run.finish()).toMatchObject({ delivered: true });
  expect((await getRun(server.db, run.id))?.config).toEqual({
    seed: { $number: '9223372036854775809' },
    optimizer: { clip: { $number: 'Infinity' }, betas: [0.9, { $number: 'NaN' }] },
    note: 'NaN',
  });
});

test('as it is installed, it runs in plain Node', async () => {
  const program = `
    import { startRun } from '@evenkeel/emit';
    const run = await startRun({ server: '${server.url}', project: 'p', name: 'plain' });
    for (let step = 0; step < 10; step++) run.log({ step, loss: 1 / (step + 1) });
    console.log(JSON.stringify(await run.finish()));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: import.meta.dirname,
  });
  expect(JSON.parse(stdout)).toEqual({ delivered: true, pending: 0, spool: null, dropped: [] });
});
