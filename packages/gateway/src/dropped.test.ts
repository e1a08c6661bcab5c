import { randomUUID } from 'node:crypto';
import { getRun } from '@evenkeel/db';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connected, send, startOf, startTestGateway, type TestGateway } from './testing.ts';

let server: TestGateway;
beforeAll(async () => {
  server = await startTestGateway();
});
afterAll(async () => {
  expect(server.errors).toEqual([]);
  await server[Symbol.asyncDispose]();
});

const loss = (count: number) => ({ field: 'loss', reason: 'not a number', count });

async function emitter(run: string, session: string | null = null) {
  const socket = server.client('/ingest');
  await connected(socket);
  await send(socket, 'run:start', { ...startOf(run), session });
  return socket;
}

test('what a client left out is counted with the run once, on whichever connection it is repeated', async () => {
  const [run, session] = [randomUUID(), randomUUID()];
  const report = (count: number) => ({ run, attempt: 1, dropped: [loss(count)] });
  const socket = await emitter(run, session);
  expect(await send(socket, 'steps', { run, attempt: 1, steps: [{ step: 0, loss: 'low' }] })).toMatchObject({
    dropped: [loss(1)],
  });
  for (const count of [2, 2, 3]) expect(await send(socket, 'run:dropped', report(count))).toEqual({ ok: true });
  expect(await send(await emitter(run, session), 'run:dropped', report(3))).toEqual({ ok: true });
  expect(await getRun(server.db, run)).toMatchObject({ droppedValues: 4, dropped: [loss(4)] });
  expect(await send(await emitter(run, randomUUID()), 'run:dropped', report(1))).toEqual({ ok: true });
  expect(await getRun(server.db, run)).toMatchObject({ dropped: [loss(5)] });
});

test('it is refused by the field that is wrong', async () => {
  const run = randomUUID();
  const socket = await emitter(run, randomUUID());
  const refused = (more: object) => send(socket, 'run:dropped', { run, attempt: 1, dropped: [loss(1)], ...more });
  expect(await refused({ dropped: [loss(0)] })).toMatchObject({ field: 'dropped[0].count', retry: false });
  expect(await refused({ dropped: [loss(1), { ...loss(1), field: '' }] })).toMatchObject({ field: 'dropped[1].field' });
  expect(await refused({ dropped: Array(1_025).fill(loss(1)) })).toMatchObject({ field: 'dropped' });
  expect(await refused({ attempt: 2 })).toMatchObject({ field: 'attempt' });
  expect(await refused({ run: randomUUID() })).toMatchObject({ field: 'run' });
  const nameless = await emitter(run);
  const report = { run, attempt: 1, dropped: [loss(1)] };
  expect(await send(nameless, 'run:dropped', report)).toMatchObject({ field: 'session', retry: false });
});
