import { randomUUID } from 'node:crypto';
import { createApiKey, findCommand, getRun, recentSteps, revokeApiKey } from '@evenkeel/db';
import { encodeSteps, MAX_ATTEMPT, MAX_FIRST_ATTEMPT } from '@evenkeel/protocol';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connected, HANDSHAKE, send, startOf, startTestGateway, stepsFrom, type TestGateway } from './testing.ts';

let server: TestGateway;
let own: Socket;
let other: Socket;
beforeAll(async () => {
  server = await startTestGateway();
  [own, other] = [await emitterOf((await aKey('cluster')).secret), await emitterOf((await aKey('laptop')).secret)];
});
afterAll(async () => {
  expect(server.errors).toEqual([]);
  await server[Symbol.asyncDispose]();
});

const OK = { ok: true };
const STOP = { action: { kind: 'stop' }, by: 'ada', reason: 'enough' } as const;
const NOT_OWN = {
  error: 'the run belongs to another ingest key: only that key can send to it, or any other once that one is revoked',
  field: 'run',
  retry: false,
};
const NOT_STARTED = { error: expect.stringContaining('not started on this connection'), field: 'run', retry: false };

async function aKey(name: string) {
  const { key, secret } = await createApiKey(server.db, name, new Date());
  return { id: key.id, secret };
}

async function emitterOf(key: string): Promise<Socket> {
  const socket = server.client('/ingest', { ...HANDSHAKE, key });
  await connected(socket);
  return socket;
}

/** A run of the first key, with ten steps of loss 2. */
async function aRun(socket = own): Promise<string> {
  const run = randomUUID();
  expect(await send(socket, 'run:start', startOf(run))).toMatchObject(OK);
  expect(await send(socket, 'steps', encodeSteps({ run, attempt: 1, steps: stepsFrom(0, 10) }))).toEqual(OK);
  return run;
}

async function keysOf(run: string): Promise<string[][] | undefined> {
  return (await getRun(server.db, run))?.attempts.map(({ keys }) => keys.map(({ name }) => name));
}

test('another key cannot overwrite the steps of a run', async () => {
  const run = await aRun();
  const steps = encodeSteps({ run, attempt: 1, steps: stepsFrom(0, 10, () => 666) });
  expect(await send(other, 'run:start', startOf(run))).toEqual(NOT_OWN);
  expect(await send(other, 'steps', steps)).toMatchObject(NOT_STARTED);
  const losses = (await recentSteps(server.db, { run, limit: 99 })).map(({ loss }) => loss);
  expect(losses).toEqual(Array(10).fill(2));
});

test('another key cannot start the next attempt of a run', async () => {
  const run = await aRun();
  expect(await send(other, 'run:start', startOf(run, 2))).toEqual(NOT_OWN);
  expect(await send(other, 'run:start', { ...startOf(run), project: 'elsewhere' })).toEqual(NOT_OWN);
  expect(await send(own, 'run:start', startOf(run, 2))).toMatchObject(OK);
  expect(await keysOf(run)).toEqual([['cluster'], ['cluster']]);
});

test('another key does not receive the stop command of a run, and cannot settle it', async () => {
  const run = await aRun();
  const received: string[] = [];
  for (const [name, socket] of Object.entries({ own, other })) {
    socket.on('command', (_command, acknowledge) => {
      received.push(name);
      acknowledge(OK);
    });
  }
  expect(await send(other, 'run:start', startOf(run))).toEqual(NOT_OWN);
  const { id } = await server.gateway.command({ run, ...STOP });
  expect(await send(other, 'run:start', startOf(run))).toEqual(NOT_OWN);
  expect(await send(other, 'command:done', { run, id, error: 'no' })).toMatchObject({ field: 'run', retry: false });
  expect(await findCommand(server.db, { run, id })).toMatchObject({ status: 'acknowledged', error: null });
  expect(received).toEqual(['own']);
});

test('another key cannot end a run', async () => {
  const run = await aRun();
  const end = { run, attempt: 1, status: 'failed', reason: 'sabotage' };
  expect(await send(other, 'run:start', startOf(run))).toEqual(NOT_OWN);
  expect(await send(other, 'run:finish', end)).toMatchObject(NOT_STARTED);
  expect(await getRun(server.db, run)).toMatchObject({ status: 'running' });
});

test('no start at attempt 1,000,000 keeps a run from going on', async () => {
  const run = await aRun();
  expect(await send(own, 'run:start', startOf(run, MAX_ATTEMPT))).toEqual({
    error: "the run's newest attempt is 1, so the next one is 2",
    field: 'attempt',
    retry: false,
  });
  expect(await send(own, 'run:start', startOf(run, 3))).toMatchObject({ field: 'attempt' });
  expect(await send(own, 'run:start', startOf(run, 2))).toMatchObject(OK);
  const unknown = randomUUID();
  expect(await send(own, 'run:start', startOf(unknown, MAX_ATTEMPT))).toEqual({
    error: 'the server does not know the run: its first attempt must be from 1 to 1000',
    field: 'attempt',
    retry: false,
  });
  expect(await getRun(server.db, unknown)).toBeNull();
  for (const attempt of [MAX_FIRST_ATTEMPT, MAX_FIRST_ATTEMPT + 1]) {
    expect(await send(own, 'run:start', startOf(unknown, attempt))).toMatchObject(OK);
  }
});

test('the same key sends a run again, on another connection too', async () => {
  const { secret } = await aKey('twice');
  const run = await aRun(await emitterOf(secret));
  const again = await emitterOf(secret);
  expect(await send(again, 'run:start', startOf(run))).toMatchObject(OK);
  expect(await send(again, 'steps', encodeSteps({ run, attempt: 1, steps: stepsFrom(10, 1) }))).toEqual(OK);
  expect(await send(again, 'run:finish', { run, attempt: 1, status: 'finished' })).toEqual(OK);
  expect(await keysOf(run)).toEqual([['twice']]);
});

test('a run of a revoked key is taken over by any other, and its former connection is closed', async () => {
  const { id, secret } = await aKey('lost');
  const former = await emitterOf(secret);
  const run = await aRun(former);
  const refused = new Promise((resolve) => former.once('connect_error', resolve));
  await revokeApiKey(server.db, id, new Date()); // by another process: this server does not know yet
  expect(await send(other, 'run:start', startOf(run))).toMatchObject(OK);
  expect(await refused).toMatchObject({ data: { field: 'key' } });
  expect(await send(other, 'run:start', startOf(run, 2))).toMatchObject(OK);
  expect(await send(own, 'run:start', startOf(run, 2))).toEqual(NOT_OWN);
  expect(await keysOf(run)).toEqual([['lost', 'laptop'], ['laptop']]);
});

test('a run that was started without a key goes to the first key that goes on with it', async () => {
  await using keyless = await startTestGateway();
  const { run, socket } = await keyless.emitter();
  const gone = new Promise((resolve) => socket.once('disconnect', resolve));
  const secrets = [];
  for (const name of ['first', 'second']) secrets.push((await createApiKey(keyless.db, name, new Date())).secret);
  const [first, second] = secrets.map((key) => keyless.client('/ingest', { ...HANDSHAKE, key })) as [Socket, Socket];
  await Promise.all([connected(first), connected(second)]);
  expect(await send(first, 'run:start', startOf(run))).toMatchObject(OK);
  await gone;
  expect(await send(second, 'run:start', startOf(run))).toEqual(NOT_OWN);
  expect(await getRun(keyless.db, run)).toMatchObject({ attempts: [{ keys: [{ name: 'first' }] }] });
});
