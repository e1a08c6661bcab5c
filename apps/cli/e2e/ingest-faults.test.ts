import { randomUUID } from 'node:crypto';
import type { AppRouter } from '@evenkeel/api';
import { startRun } from '@evenkeel/emit';
import { DROP_REASONS, MAX_CUSTOM_SCALARS, MAX_SCALAR_NAME_LENGTH, PROTOCOL_VERSION } from '@evenkeel/protocol';
import { temporaryFolder } from '@evenkeel/testing';
import { createTRPCClient, httpLink } from '@trpc/client';
import { io, type Socket } from 'socket.io-client';
import superjson from 'superjson';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evenkeel, serve } from './evenkeel.ts';

// What trainers get wrong, or what happens to them, through the real process: sockets in, HTTP and the command out.

const HUGE = 10_000_000;
const folder = temporaryFolder();
let server: Awaited<ReturnType<typeof serve>>;
let reader: ReturnType<typeof createTRPCClient<AppRouter>>;
const sockets: Socket[] = [];

beforeAll(async () => {
  server = await serve(folder.path);
  const link = httpLink({ url: `${server.url}/api/trpc`, transformer: superjson });
  reader = createTRPCClient<AppRouter>({ links: [link] });
});
afterAll(async () => {
  for (const socket of sockets) socket.disconnect();
  await server[Symbol.asyncDispose]();
  expect(server.output()).not.toContain(' error ');
  folder[Symbol.dispose]();
});

/** A connection that has started a run, as a client in another language would, and sends in JSON. */
async function emitter(run: string) {
  const auth = { protocol: PROTOCOL_VERSION, client: 'test' };
  const socket = io(`${server.url}/ingest`, { transports: ['websocket'], forceNew: true, auth });
  sockets.push(socket);
  const send = (event: string, message: object) =>
    socket.timeout(20_000).emitWithAck(event, { run, attempt: 1, ...message });
  const start = { project: 'test', name: run, startedAt: Date.now(), layers: ['h0', 'h1'] };
  expect(await send('run:start', start)).toMatchObject({ ok: true });
  return {
    steps: (...steps: object[]) => send('steps', { steps: steps.map((step) => ({ time: Date.now(), ...step })) }),
  };
}

const attemptsOf = async (run: string) => (await reader.run.get.query({ run })).attempts;
const historyOf = async (run: string) =>
  (await reader.run.history.query({ run })).map(({ kind, reason }) => ({ kind, reason }));

test('two emitters of one attempt: their fields merge, and both receive the conflicts', async () => {
  const run = randomUUID();
  const [one, other] = [await emitter(run), await emitter(run)];
  expect(await one.steps({ step: 0, loss: 1 }, { step: 1, loss: 2 })).toEqual({ ok: true });
  expect(await other.steps({ step: 0, lr: 0.5 }, { step: 1, custom: { evalLoss: 3 } })).toEqual({ ok: true });
  const conflicts = [{ field: 'loss', step: 1 }];
  expect(await other.steps({ step: 1, loss: 4 })).toEqual({ ok: true, conflicts });
  expect(await one.steps({ step: 2, loss: 5 })).toEqual({ ok: true, conflicts });
  const { series } = await reader.step.chart.query({ run, columns: 10, series: ['loss', 'lr', 'custom:evalLoss'] });
  expect(series).toMatchObject({
    loss: { mean: [1, 4, 5] },
    lr: { mean: [0.5, null, null] },
    'custom:evalLoss': { mean: [null, 3, null] },
  });
  expect(await attemptsOf(run)).toMatchObject([{ conflicts: 1 }]);
  expect(await historyOf(run)).toMatchObject([{ kind: 'conflict' }]);
});

test('a job that is queued again under the same id opens the next attempt, with its policy, and is protected', async () => {
  const about = { server: server.url, project: 'test', name: 'requeued', id: randomUUID(), spool: false } as const;
  const first = await startRun(about);
  for (let step = 0; step < 10; step++) first.log({ step, loss: 2 });
  expect(await first.finish('finished', undefined, { timeoutMs: 120_000 })).toMatchObject({ delivered: true });

  const second = await startRun({ ...about, startedAt: Date.now() + 1, policy: { critical: { kind: 'stop' } } });
  for (let step = 5; step < 10; step++) second.log({ step, loss: step < 8 ? 2 : Number.NaN });
  await expect.poll(() => second.signal.aborted).toBe(true);
  expect(await reader.run.get.query({ run: about.id })).toMatchObject({
    status: 'running',
    attempts: [
      { number: 1, status: 'finished', lastStep: 9 },
      { number: 2, status: null, firstStep: 5, policy: { critical: { kind: 'stop' } } },
    ],
  });
  expect(await historyOf(about.id)).toMatchObject([{ kind: 'attempt opened' }]);
  expect(await second.finish('stopped', undefined, { timeoutMs: 120_000 })).toMatchObject({ delivered: true });
  expect(await attemptsOf(about.id)).toMatchObject([{ status: 'finished' }, { status: 'stopped' }]);
});

test('one huge step number while the run goes on blinds no rule, freezes no latest step and squeezes no chart', async () => {
  const run = await startRun({ server: server.url, project: 'test', name: 'jump', spool: false });
  for (let step = 0; step < 50; step++) run.log({ step, loss: 2 });
  run.log({ step: HUGE, loss: 2 });
  for (let step = 50; step < 100; step++) run.log({ step, loss: 2 });
  for (let step = 100; step < 103; step++) run.log({ step, loss: Number.NaN });
  await run.drained();
  const alerts = async () =>
    (await reader.alert.list.query({ run: run.id, limit: 9 })).map(({ rule, step }) => [rule, step]);
  await expect.poll(alerts).toEqual([['non-finite', 100]]);
  expect(await reader.run.get.query({ run: run.id })).toMatchObject({ status: 'running', lastStep: 102 });
  expect(await attemptsOf(run.id)).toMatchObject([{ firstStep: 0, lastStep: 102, outliers: [HUGE] }]);
  const { firstStep, lastStep, columnSteps } = await reader.step.chart.query({ run: run.id, columns: 1_000 });
  expect([firstStep, lastStep, columnSteps]).toEqual([0, 102, 1]);
  expect(await run.finish('finished', undefined, { timeoutMs: 120_000 })).toMatchObject({ delivered: true });
});

test('one bad value of each kind costs itself, is named in the ack, and counted with the run', async () => {
  const run = randomUUID();
  const { steps } = await emitter(run);
  const names = Object.fromEntries(Array.from({ length: MAX_CUSTOM_SCALARS }, (_, at) => [`m${at}`, at]));
  const answer = await steps(
    {
      step: 0,
      loss: 'good',
      lr: 0.5,
      tokens: 1.5,
      tevQuantiles: [1],
      layerGradVar: [1],
      layerOutVar: 'wide',
      custom: 7,
    },
    { step: 1, loss: 2, custom: { ['x'.repeat(MAX_SCALAR_NAME_LENGTH + 1)]: 1, accuracy: 'high', fine: 1 } },
    { step: 2, loss: 3, custom: names },
    { step: 'three', loss: 4 },
  );
  expect(answer).toMatchObject({ ok: true });
  const dropped: { field: string; reason: string; count: number }[] = answer.dropped;
  // a time in seconds is left out by emit alone: a server refuses the batch
  const reasons = Object.keys(DROP_REASONS).filter((reason) => reason !== 'not in milliseconds');
  expect(new Set(dropped.map(({ reason }) => reason))).toEqual(new Set(reasons));
  const fields = ['custom', 'custom.accuracy', 'layerGradVar', 'layerOutVar', 'loss', 'step', 'tevQuantiles', 'tokens'];
  expect(dropped.map(({ field }) => field)).toEqual(expect.arrayContaining(fields));
  const { series } = await reader.step.chart.query({
    run,
    columns: 10,
    series: ['loss', 'lr', 'custom:fine', 'custom:m0'],
  });
  expect(series).toMatchObject({
    loss: { mean: [null, 2, 3] },
    lr: { mean: [0.5, null, null] },
    'custom:fine': { mean: [null, 1, null] },
    'custom:m0': { mean: [null, null, 0] },
  });
  const count = dropped.reduce((sum, each) => sum + each.count, 0);
  const listed = evenkeel(['runs', '--json', '--server', server.url]);
  expect(await listed.ended).toBe(0);
  const found = listed
    .facts()
    .trim()
    .split('\n')
    .flatMap((line) => JSON.parse(line))
    .find(({ id }) => id === run);
  expect(found).toMatchObject({ droppedValues: count });
});

test('a value that a trainer in JavaScript gets wrong is counted where it finishes', async () => {
  const warnings: string[] = [];
  const about = { server: server.url, project: 'test', name: 'careless', spool: false } as const;
  const run = await startRun({ ...about, onWarning: (message) => void warnings.push(message) });
  const wrong: unknown[] = [undefined, 10n, 'high', {}];
  for (const [step, value] of wrong.entries()) run.log({ step, lr: 0.5, custom: { accuracy: value as number } });
  const { delivered, dropped } = await run.finish('finished', undefined, { timeoutMs: 120_000 });
  expect(delivered).toBe(true);
  expect(dropped).toEqual([{ field: 'custom.accuracy', reason: 'not a number', count: dropped[0]?.count }]);
  expect(dropped[0]?.count).toBeGreaterThanOrEqual(3);
  expect(warnings).not.toEqual([]);
  const { series } = await reader.step.chart.query({ run: run.id, columns: 10, series: ['lr'] });
  expect(series.lr?.mean).toEqual([0.5, 0.5, 0.5, 0.5]);
});
