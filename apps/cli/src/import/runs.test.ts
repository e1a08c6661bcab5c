import { copyFileSync, cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { appRouter } from '@evenkeel/api';
import { type Database, getRun, listRuns, readHistory, recentSteps } from '@evenkeel/db';
import { startRun } from '@evenkeel/emit';
import { startTestGateway } from '@evenkeel/gateway/testing';
import { ANONYMOUS } from '@evenkeel/protocol';
import { eventFile } from '@evenkeel/readers/sample/event-file';
import { temporaryFolder } from '@evenkeel/testing';
import { createHTTPHandler } from '@trpc/server/adapters/standalone';
import { expect, test, vi } from 'vitest';
import { importCommand } from '../commands/import.ts';

const SAMPLES = join(import.meta.dirname, '../../../../packages/readers/samples');

/** A server of trainers that also answers the API, as the dashboard does. */
const startServer = () =>
  startTestGateway({
    answering: ({ db, ingest, events }) =>
      createHTTPHandler({
        router: appRouter,
        basePath: '/api/trpc/',
        createContext: () => ({
          db,
          events,
          now: () => new Date(),
          principal: ANONYMOUS,
          command: (given) => ingest.command(ANONYMOUS, given),
        }),
      }),
  });

/** What an import prints on standard output. */
async function run(...args: string[]): Promise<string[]> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    await importCommand().parseAsync(args, { from: 'user' });
    return log.mock.calls.flat();
  } finally {
    log.mockRestore();
    error.mockRestore();
  }
}

/** All that a server has: runs with their attempts and steps, and what has happened to them. */
async function contentsOf(db: Database) {
  const runs = await listRuns(db, { limit: 100 });
  const contents = runs.map(async ({ id }) => {
    const { lastSeenAt: _, ...about } = { lastSeenAt: null, ...(await getRun(db, id)) };
    const history = (await readHistory(db, { run: id, limit: 100 })).map(({ kind, attempt }) => ({ kind, attempt }));
    return { ...about, history, steps: await recentSteps(db, { run: id, limit: 1_000 }) };
  });
  return new Map((await Promise.all(contents)).map((each) => [each.name, each]));
}

test('runs of every tracker are imported, and a second time changes nothing', async () => {
  await using server = await startServer();
  const lines = await run(SAMPLES, '--server', server.url);
  await server.gateway.settled();
  const once = await contentsOf(server.db);

  const wandb = once.get('finished');
  expect(wandb).toMatchObject({
    ...{ project: 'evenkeel-samples', status: 'finished', tags: ['t1'], startedAt: new Date(1_795_971_916_006) },
    config: { lr: 0.2, nest: { a: 1, b: [1, 2] }, s: 'x', nan: null, big: { $number: '9007199254740993' }, late: 5 },
  });
  expect(wandb?.steps.slice(0, 8).map(({ step, loss }) => [step, loss])).toEqual([
    ...[0, 1, 2, 3, 4].map((step) => [step, 1 / (step + 1)]),
    [5, Number.NaN],
    [6, Number.POSITIVE_INFINITY],
    [7, Number.NEGATIVE_INFINITY],
  ]);
  expect(wandb?.steps[1]?.custom).toEqual({ 'train.acc': 1, 'train.deep.x': 1, 'a.b': 1, 'p/q': 2 });

  const defined = once.get('defined');
  expect(defined?.names).toEqual({ loss: 'train/loss', evalLoss: 'val/loss' });
  const mlflow = once.get('base');
  expect(mlflow).toMatchObject({
    project: 'samples',
    status: 'finished',
    config: { lr: 0.1, bs: 8 },
    tags: ['note=hi'],
  });
  expect(mlflow?.steps.find(({ step }) => step === 3)).toMatchObject({ loss: 0.3, custom: { acc: 0.6 } });
  expect(mlflow?.steps[0]).toMatchObject({ step: -2, custom: { neg: 1 } });
  expect(once.get('running')).toMatchObject({ status: 'stopped', reason: 'it was running when it was read' });
  expect(once.get('e2')).toMatchObject({ status: 'failed', reason: expect.stringContaining('RuntimeError: boom') });
  expect(once.get('first')).toMatchObject({ project: 'lab/proj', names: { loss: 'train/loss' } });
  expect(once.get('r1')?.steps.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 10, 50, 51]);
  expect(once.get('tensorboard/purge')?.steps.map(({ custom }) => custom?.l)).toEqual([0, 1, 2, 3, 4, 105, 106, 107]);
  expect(once.get('tensorboard/purge')?.attempts).toMatchObject([
    { number: 1, status: 'stopped', firstStep: 0, lastStep: 9 },
    { number: 2, status: 'finished', firstStep: 5, lastStep: 7 },
  ]);
  expect(once.get('tensorboard/torch/1795970310.9942033')?.config).toEqual({ lr: 0.1, bs: 8, f: 1 });

  expect(lines).toContain('  names: train/loss → loss, val/loss → evalLoss, free');
  expect(lines).toContain('  not imported: 29 bytes: the last record is incomplete');
  expect(lines.at(-1)).toMatch(/^\d+ runs are on http/);

  const again = await run(SAMPLES, '--server', server.url);
  await server.gateway.settled();
  expect(await contentsOf(server.db)).toEqual(once);
  expect(again.at(-1)).toMatch(/; 0 steps were sent\.$/);
});

test('a dry run lists the same and sends nothing', async () => {
  await using server = await startServer();
  const lines = await run(join(SAMPLES, 'wandb'), '--dry-run', '--server', server.url);
  expect(lines.find((line) => line.includes('finished:'))).toMatch(
    /^evenkeel-samples \/ finished: 14 steps, 0 to 32, finished \([-0-9a-f]{36}, wandb\)$/,
  );
  expect(lines.at(-1)).toBe('3 runs with 139 steps can be imported; nothing was sent.');
  expect(await listRuns(server.db, { limit: 9 })).toEqual([]);
});

test('an import that was interrupted is continued by the next', async () => {
  await using server = await startServer();
  await using whole = await startServer();
  await run(join(SAMPLES, 'tensorboard/purge'), '--server', whole.url);
  const [{ id = '' } = {}] = await listRuns(whole.db, { limit: 1 });
  const startedAt = (await getRun(whole.db, id))?.startedAt.getTime();
  // What an import leaves that is killed after its first step.
  const begun = await startRun({
    ...{ server: server.url, id, project: 'imported', name: 'purge', startedAt, mapNames: true },
    ...{ spool: false as const, handleExit: false, onWarning: () => {} },
  });
  begun.log({ step: 0, time: startedAt, custom: { l: 0 } });
  await begun.drained();
  server.breakConnections();
  await run(join(SAMPLES, 'tensorboard/purge'), '--server', server.url);
  await Promise.all([server.gateway.settled(), whole.gateway.settled()]);
  const [continued] = (await contentsOf(server.db)).values();
  const [once] = (await contentsOf(whole.db)).values();
  expect(continued?.steps).toEqual(once?.steps);
  expect(continued?.status).toBe('finished');
  await begun.finish('finished', undefined, { timeoutMs: 1 });
});

test('a run that is there with other contents is refused, and replaced where that is asked for', async () => {
  await using server = await startServer();
  using folder = temporaryFolder();
  const file = join(folder.path, 'exp', 'events.out.tfevents.1');
  cpSync(join(SAMPLES, 'tensorboard/truncated'), join(folder.path, 'exp'), { recursive: true });
  await run(folder.path, '--server', server.url);
  for (const name of readdirSync(join(folder.path, 'exp'))) rmSync(join(folder.path, 'exp', name));
  const [other = ''] = readdirSync(join(SAMPLES, 'tensorboard/tf2'));
  copyFileSync(join(SAMPLES, 'tensorboard/tf2', other), file);
  cpSync(join(SAMPLES, 'tensorboard/purge'), join(folder.path, 'later'), { recursive: true });
  await expect(run(folder.path, '--server', server.url)).rejects.toThrow(/other contents stayed: --replace deletes/);
  const before = await contentsOf(server.db);
  expect(before.get('exp')?.steps).toHaveLength(9);
  expect(before.has('later')).toBe(true);
  await run(folder.path, '--replace', '--server', server.url);
  await server.gateway.settled();
  const after = await contentsOf(server.db);
  expect(after.get('exp')?.steps.map(({ step, loss }) => [step, loss])).toEqual(
    [0, 1, 2, 3].map((step) => [step, Math.fround(1 / (step + 1))]),
  );
  await run(folder.path, '--project', 'beside', '--server', server.url);
  expect(await listRuns(server.db, { limit: 9 })).toHaveLength(4);
});

test('--format names the one format that is read', async () => {
  await using server = await startServer();
  const lines = await run(SAMPLES, '--format', 'trackio', '--dry-run', '--server', server.url);
  expect(lines.at(-1)).toBe('1 run with 9 steps can be imported; nothing was sent.');
  await expect(run(join(SAMPLES, 'wandb'), '--format', 'trackio', '--dry-run')).rejects.toThrow(
    /no run of the format trackio is there$/,
  );
});

test('what cannot be read is an error that names it', async () => {
  using folder = temporaryFolder();
  await expect(run(folder.path, '--dry-run')).rejects.toThrow(/no run that can be imported is there$/);
  await expect(run('postgres://127.0.0.1:9/none', '--dry-run')).rejects.toThrow(/^postgres:.* cannot be read: /);
});

test('checkpoints of a trainer are one attempt, whatever the digits of their numbers', async () => {
  using temporary = temporaryFolder();
  const folder = temporary.path;
  for (const steps of [500, 1_000]) {
    const log_history = Array.from({ length: steps / 100 }, (_, at) => ({ step: (at + 1) * 100, loss: 1 }));
    mkdirSync(join(folder, 'out', `checkpoint-${steps}`), { recursive: true });
    writeFileSync(join(folder, 'out', `checkpoint-${steps}`, 'trainer_state.json'), JSON.stringify({ log_history }));
  }
  const [found, ...others] = await run(join(folder, 'out'), '--dry-run', '--json');
  expect(others).toEqual([]);
  expect(JSON.parse(found as string)).toMatchObject({ name: 'out', attempt: 1, steps: 10, lastStep: 1_000 });
});

test('a step beyond those that a run can have is not imported, and the second import finds all there', async () => {
  await using server = await startServer();
  using folder = temporaryFolder();
  const stored = join(folder.path, '123/0af');
  mkdirSync(join(stored, 'metrics'), { recursive: true });
  writeFileSync(join(folder.path, '123/meta.yaml'), 'name: exp\nlifecycle_stage: active\n');
  writeFileSync(join(stored, 'meta.yaml'), 'run_id: 0af\nrun_name: far\nlifecycle_stage: active\nstatus: 3\n');
  const steps = [0, 2 ** 40, 2 ** 40 + 1, -(2 ** 45)];
  writeFileSync(join(stored, 'metrics/loss'), steps.map((step, at) => `17959720975${at}0 1.0 ${step}\n`).join(''));
  const first = await run(folder.path, '--server', server.url);
  expect(first).toContain('  not imported: 2 rows: their step is beyond ±2^40');
  expect(first[0]).toMatch(/2 steps, 0 to 1099511627776, finished/);
  await server.gateway.settled();
  expect((await run(folder.path, '--server', server.url)).join()).toMatch(/already there/);
});

test('a metric called __proto__ is counted as left out, whatever the file', async () => {
  await using server = await startServer();
  using folder = temporaryFolder();
  mkdirSync(join(folder.path, 'events'));
  const write = (name: string, contents: string | Uint8Array) => writeFileSync(join(folder.path, name), contents);
  write('table.csv', 'step,loss,__proto__\n1,2,3\n');
  write('lines.jsonl', '{"step":1,"loss":2,"__proto__":3}\n{"step":1,"__proto__":4}\n');
  write('events/events.out.tfevents.1', Buffer.concat([...eventFile(1, ['loss', '__proto__'], 1_700_000_000)]));
  const lines = await run(folder.path, '--server', server.url);
  await server.gateway.settled();
  const lost = lines.filter((line) => line.includes('__proto__') && line.includes('not imported'));
  expect(lost).toEqual([
    expect.stringMatching(/^ {2}not imported: \d+ values of custom.__proto__: bad name$/), // events
    ...Array(2).fill('  not imported: 1 value of custom.__proto__: bad name'),
  ]);
  for (const { dropped, loss } of (await contentsOf(server.db)).values())
    expect([dropped?.map(({ field, reason }) => [field, reason]), loss]).toEqual([
      [['custom.__proto__', 'bad name']],
      expect.any(Number),
    ]);
  expect(Object.keys(Object.prototype)).toEqual([]);
});

test('files with a common name are runs of their own where each is named by its folder', async () => {
  using temporary = temporaryFolder();
  const folder = temporary.path;
  const found = [];
  for (const name of ['one', 'two']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'metrics.csv'), 'step,loss\n1,0.5\n');
    found.push(JSON.parse((await run(join(folder, name), '--dry-run', '--json'))[0] as string));
  }
  expect(found.map(({ name }) => name)).toEqual(['one', 'two']);
  expect(found[0].run).not.toBe(found[1].run);
});
