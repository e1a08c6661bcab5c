import { randomUUID } from 'node:crypto';
import { getRun, listAlerts, listCommands, readHistory, recentSteps } from '@evenkeel/db';
import { encodeSteps } from '@evenkeel/protocol';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BEGAN, connected, send, startOf, startTestGateway, stepsFrom, type TestGateway } from './testing.ts';

let server: TestGateway;
beforeAll(async () => {
  server = await startTestGateway();
});
afterAll(async () => {
  expect(server.errors).toEqual([]);
  await server[Symbol.asyncDispose]();
});

async function emitter(): Promise<Socket> {
  const socket = server.client('/ingest');
  await connected(socket);
  return socket;
}

const attemptsOf = async (run: string) => (await getRun(server.db, run))?.attempts ?? [];
const frame = (run: string, first: number, count: number, attempt = 1) =>
  encodeSteps({ run, attempt, steps: stepsFrom(first, count) });

/** A run with ten steps that has finished. */
async function finishedRun(): Promise<string> {
  const { run, socket } = await server.emitter();
  expect(await send(socket, 'steps', frame(run, 0, 10))).toEqual({ ok: true });
  expect(await send(socket, 'run:finish', { run, attempt: 1, status: 'finished' })).toEqual({ ok: true });
  return run;
}

test('the answer to a start reports the attempt, and the newest with its last step and status', async () => {
  const run = randomUUID();
  const socket = await emitter();
  const empty = { ok: true, attempt: 1, newest: { attempt: 1, lastStep: null, status: 'running' } };
  expect(await send(socket, 'run:start', startOf(run))).toEqual(empty);
  await send(socket, 'steps', frame(run, 0, 10));
  await send(socket, 'run:start', startOf(run, 2));
  await send(socket, 'steps', frame(run, 5, 3, 2));
  const newest = { attempt: 2, lastStep: 7, status: 'running' };
  expect(await send(await emitter(), 'run:start', startOf(run, 1))).toEqual({ ok: true, attempt: 1, newest });
});

test('next opens one attempt, however often its session starts again', async () => {
  const run = await finishedRun();
  const start = { ...startOf(run), attempt: 'next', session: randomUUID() };
  expect(await send(await emitter(), 'run:start', start)).toMatchObject({ attempt: 2, newest: { status: 'running' } });
  const again = await emitter();
  expect(await send(again, 'run:start', start)).toMatchObject({ attempt: 2 });
  expect(await send(again, 'steps', frame(run, 3, 2, 2))).toEqual({ ok: true });
  const other = { ...start, session: randomUUID() };
  expect(await send(await emitter(), 'run:start', other)).toMatchObject({ attempt: 3 });
  expect(await send(again, 'run:start', start)).toMatchObject({ attempt: 2 });
  expect(await attemptsOf(run)).toHaveLength(3);
});

test('resume goes on with the newest attempt, or opens the next where it has ended', async () => {
  const run = randomUUID();
  const resume = (session: string) => ({ ...startOf(run), attempt: 'resume', session });
  const first = randomUUID();
  const socket = await emitter();
  expect(await send(socket, 'run:start', resume(first))).toMatchObject({ attempt: 1 });
  expect(await send(await emitter(), 'run:start', resume(randomUUID()))).toMatchObject({ attempt: 1 });
  await send(socket, 'run:finish', { run, attempt: 1, status: 'failed' });
  // the answer to its end was lost: it starts again, only to end again
  expect(await send(socket, 'run:start', resume(first))).toMatchObject({ attempt: 1 });
  expect(await send(socket, 'run:finish', { run, attempt: 1, status: 'failed' })).toEqual({ ok: true });
  expect(await send(socket, 'run:start', resume(randomUUID()))).toMatchObject({ attempt: 2 });
});

test('next and resume need a session', async () => {
  for (const attempt of ['next', 'resume']) {
    const start = { ...startOf(randomUUID()), attempt };
    expect(await send(await emitter(), 'run:start', start)).toMatchObject({ field: 'session', retry: false });
  }
});

test('requeue: a job that is queued again under the same number is protected as the next attempt', async () => {
  const run = await finishedRun();
  const socket = await emitter();
  const commands: unknown[] = [];
  socket.on('command', (command, reply) => {
    commands.push(command);
    reply({ ok: true });
  });
  const policy = { critical: { kind: 'stop' } };
  const start = { ...startOf(run), startedAt: BEGAN + 50_000, policy };
  expect(await send(socket, 'run:start', start)).toMatchObject({ attempt: 1, newest: { status: 'finished' } });
  expect(await attemptsOf(run)).toHaveLength(1); // until steps come
  const steps = stepsFrom(0, 20, (step) => (step >= 12 ? Number.NaN : 2));
  const batches = [steps.slice(0, 10), steps.slice(10)].map((part) => encodeSteps({ run, attempt: 1, steps: part }));
  const acks = await Promise.all(batches.map((batch) => send(socket, 'steps', batch)));
  expect(acks).toEqual([
    { ok: true, attempt: 2 },
    { ok: true, attempt: 2 },
  ]);
  await server.gateway.settled();
  const found = await getRun(server.db, run);
  expect(found).toMatchObject({
    status: 'running',
    attempts: [
      { status: 'finished', lastStep: 9 },
      { startedAs: 1, policy },
    ],
  });
  expect(await listAlerts(server.db, { run, limit: 9 })).toMatchObject([{ rule: 'non-finite', attempt: 2, step: 12 }]);
  expect(await listCommands(server.db, { run, limit: 9 })).toMatchObject([{ kind: 'stop', attempt: 2 }]);
  await expect.poll(() => commands).toMatchObject([{ kind: 'stop' }]);
  expect(await readHistory(server.db, { run, limit: 9 })).toMatchObject([
    { kind: 'attempt opened', attempt: 2, reason: expect.stringContaining('attempt 1, which had ended') },
  ]);
  // after a broken connection it is the same attempt, which it ends under its own number
  const again = await emitter();
  expect(await send(again, 'run:start', start)).toMatchObject({ attempt: 2 });
  await send(again, 'run:finish', { run, attempt: 1, status: 'stopped' });
  expect((await attemptsOf(run)).map(({ status }) => status)).toEqual(['finished', 'stopped']);
});

test('a start that is repeated after the end, and a file that is imported again, open no attempt', async () => {
  const run = await finishedRun();
  const socket = await emitter();
  await send(socket, 'run:start', startOf(run));
  expect(await send(socket, 'steps', frame(run, 0, 10))).toMatchObject({ ok: true });
  expect(await attemptsOf(run)).toMatchObject([{ status: 'finished' }]);
});

test('a job that is queued again and says that it began no later is warned that no policy acts on its steps, and the run says so', async () => {
  const run = await finishedRun();
  const socket = await emitter();
  await send(socket, 'run:start', startOf(run));
  const warning = expect.stringMatching(
    /^the steps that come for attempt 1 are stored, but no policy acts on them: it has ended/,
  );
  for (const first of [0, 10]) {
    expect(await send(socket, 'steps', frame(run, first, 10))).toEqual({ ok: true, warning });
  }
  await server.gateway.settled();
  expect(await readHistory(server.db, { run, limit: 9 })).toMatchObject([
    { kind: 'steps not acted on', attempt: 1, by: null, reason: warning },
  ]);
});

test('an emitter of an attempt that another has followed is warned when it comes back', async () => {
  const { run, socket } = await server.emitter();
  await send(socket, 'run:start', startOf(run, 2));
  const ghost = await emitter();
  await send(ghost, 'run:start', startOf(run, 1));
  const warning = expect.stringMatching(/attempt 2 has begun since$/);
  expect(await send(ghost, 'steps', frame(run, 0, 5))).toEqual({ ok: true, warning });
  expect(await send(socket, 'steps', frame(run, 0, 5, 2))).toEqual({ ok: true });
});

test('two emitters of one attempt: their fields merge', async () => {
  const { run, socket } = await server.emitter();
  const other = await emitter();
  await send(other, 'run:start', startOf(run));
  const part = (fields: object) => ({ run, attempt: 1, steps: [{ step: 3, time: BEGAN, ...fields }] });
  expect(await send(socket, 'steps', part({ loss: 2 }))).toEqual({ ok: true });
  expect(await send(other, 'steps', part({ gradVar: 1, custom: { a: 1 } }))).toEqual({ ok: true });
  expect(await send(socket, 'steps', part({ loss: 2, custom: { a: 1 } }))).toEqual({ ok: true });
  expect(await recentSteps(server.db, { run, limit: 9 })).toMatchObject([{ loss: 2, gradVar: 1, custom: { a: 1 } }]);
  expect(await attemptsOf(run)).toMatchObject([{ conflicts: 0 }]);
});

test('two emitters that send different values of the same fields are both warned, and the run says so', async () => {
  const { run, socket } = await server.emitter();
  const other = await emitter();
  await send(other, 'run:start', startOf(run));
  const part = (step: number, loss: number) => ({
    run,
    attempt: 1,
    steps: [{ step, time: BEGAN, loss, tevMean: 1, custom: { a: loss }, layerGradVar: [loss, 1] }],
  });
  const conflicts = ['loss', 'layerGradVar', 'custom.a'].map((field) => ({ field, step: 3 }));
  expect(await send(socket, 'steps', part(3, 2))).toEqual({ ok: true });
  expect(await send(other, 'steps', part(3, 4))).toEqual({ ok: true, conflicts: expect.arrayContaining(conflicts) });
  expect(await send(socket, 'steps', part(4, 2))).toEqual({ ok: true, conflicts: expect.arrayContaining(conflicts) });
  expect(await send(socket, 'steps', part(5, 2))).toEqual({ ok: true });
  await server.gateway.settled();
  expect(await attemptsOf(run)).toMatchObject([{ conflicts: 3 }]);
  expect(await readHistory(server.db, { run, limit: 9 })).toMatchObject([{ kind: 'conflict', attempt: 1, step: 3 }]);
});

test('what one emitter wrote of a step is compared also after the other wrote other fields of it', async () => {
  const { run, socket } = await server.emitter();
  const other = await emitter();
  await send(other, 'run:start', startOf(run));
  const part = (fields: object) => ({ run, attempt: 1, steps: [{ step: 3, time: Date.UTC(2026, 0, 1), ...fields }] });
  await send(socket, 'steps', part({ loss: 2 }));
  await send(other, 'steps', part({ custom: { evalLoss: 3 } }));
  const conflicts = [{ field: 'loss', step: 3 }];
  expect(await send(other, 'steps', part({ loss: 4 }))).toEqual({ ok: true, conflicts });
  expect(await send(socket, 'steps', part({ lr: 1 }))).toEqual({ ok: true, conflicts });
});

test('an emitter that comes back and sends again is in no conflict with itself', async () => {
  const { run, socket } = await server.emitter();
  await send(socket, 'steps', frame(run, 0, 10));
  const again = await emitter(); // before the server has seen that the first connection broke
  await send(again, 'run:start', startOf(run));
  expect(await send(again, 'steps', frame(run, 0, 20))).toEqual({ ok: true });
});

test('what a second emitter goes on to send long after the first has ended the attempt is the next attempt', async () => {
  let clock = Date.UTC(2026, 0, 1);
  await using gateway = await startTestGateway({ now: () => new Date(clock) });
  const { run, socket } = await gateway.emitter();
  const other = gateway.client('/ingest');
  await connected(other);
  await send(other, 'run:start', startOf(run));
  await send(socket, 'steps', frame(run, 0, 10));
  await send(socket, 'run:finish', { run, attempt: 1, status: 'finished' });
  expect(await send(other, 'steps', frame(run, 5, 10))).toEqual({ ok: true }); // the last of it
  clock += 61_000;
  expect(await send(other, 'steps', frame(run, 15, 10))).toEqual({ ok: true, attempt: 2 });
  expect(await getRun(gateway.db, run)).toMatchObject({
    status: 'running',
    attempts: [
      { status: 'finished', lastStep: 14 },
      { status: null, firstStep: 15 },
    ],
  });
  expect(gateway.errors).toEqual([]);
});

test('an emitter that was left behind by a later attempt sends ghosts, however long after', async () => {
  let clock = Date.UTC(2026, 0, 1);
  await using gateway = await startTestGateway({ now: () => new Date(clock) });
  const { run, socket } = await gateway.emitter();
  const other = gateway.client('/ingest');
  await connected(other);
  await send(other, 'run:start', startOf(run));
  await send(socket, 'steps', frame(run, 0, 10));
  await send(socket, 'run:finish', { run, attempt: 1, status: 'failed' });
  await send(socket, 'run:start', startOf(run, 2));
  await send(socket, 'steps', frame(run, 5, 10, 2));
  clock += 61_000;
  const warning = expect.stringMatching(/attempt 2 has begun since$/);
  expect(await send(other, 'steps', frame(run, 10, 10))).toEqual({ ok: true, warning });
  expect(await getRun(gateway.db, run)).toMatchObject({ attempts: [{ lastStep: 19 }, { firstStep: 5, lastStep: 14 }] });
});
