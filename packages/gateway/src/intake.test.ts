import { getRun, recentSteps } from '@evenkeel/db';
import { type Ack, encodeSteps } from '@evenkeel/protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BEGAN, send, startTestGateway, stepsFrom, type TestGateway } from './testing.ts';

let server: TestGateway;
beforeAll(async () => {
  server = await startTestGateway();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

test('one greedy emitter delays the acks of another by a commit or two, not by all that it has waiting', async () => {
  const [greedy, other] = await Promise.all([server.emitter(), server.emitter()]);
  let accepted = 0;
  const flood = Array.from({ length: 32 }, async (_, at) => {
    const steps = stepsFrom(1_024 * at, 1_024);
    const ack = await greedy.socket.emitWithAck('steps', encodeSteps({ run: greedy.run, attempt: 1, steps }));
    if ('ok' in ack) accepted++;
  });
  for (let step = 0; step < 5; step++) {
    const batch = { run: other.run, attempt: 1, steps: stepsFrom(step, 1) };
    expect(await send(other.socket, 'steps', encodeSteps(batch))).toEqual({ ok: true });
  }
  expect(accepted).toBeLessThan(16);
  await Promise.all(flood);
  expect(accepted).toBe(32);
});

test('what one connection has unacknowledged is bounded: more is refused with a sentence, and may come again', async () => {
  const { run, socket } = await server.emitter();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const transaction = server.db.sql.transaction(() => held); // no commit comes in between
  const padding = 'x'.repeat(1024 * 1024);
  const acks = Array.from({ length: 20 }, (_, step): Promise<Ack> => {
    return socket.emitWithAck('steps', { run, attempt: 1, steps: [{ step, time: BEGAN }], padding });
  });
  const refused = await acks.at(-1);
  expect(refused).toMatchObject({ retry: true, error: expect.stringContaining('wait for their acks') });
  release();
  await transaction;
  expect(await Promise.all(acks)).toEqual([...Array(15).fill({ ok: true }), ...Array(5).fill(refused)]);
  expect(await send(socket, 'steps', { run, attempt: 1, steps: [{ step: 15, time: BEGAN }] })).toEqual({ ok: true });
});

test('a connection that goes on sending what is refused is cut off unread, and what was not decoded is not stored', async () => {
  const { run, socket } = await server.emitter();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const transaction = server.db.sql.transaction(() => held); // no commit comes in between
  const cut = new Promise((resolve) => socket.once('disconnect', resolve));
  const before = server.bytesRead();
  const padding = 'x'.repeat(1024 * 1024);
  for (let step = 0; step < 120; step++) {
    socket.emit('steps', { run, attempt: 1, steps: [{ step, time: BEGAN }], padding });
    if (step === 2) socket.emit('run:finish', { run, attempt: 1, status: 'finished' });
  }
  await cut;
  expect(server.bytesRead() - before).toBeLessThan(60 * padding.length);
  release();
  await transaction;
  await server.gateway.settled();
  expect((await recentSteps(server.db, { run, limit: 99 })).map(({ step }) => step)).toEqual([0]);
  expect(await getRun(server.db, run)).toMatchObject({ status: 'running' }); // its end comes again, after its steps
});

test('what would lie too deep in JSON to be counted is refused', async () => {
  const { run, socket } = await server.emitter();
  const steps = [{ step: 0, time: BEGAN }];
  const hidden = { run, attempt: 1, steps, padding: [[[[['x'.repeat(1024)]]]]] };
  expect(await send(socket, 'steps', hidden)).toMatchObject({ retry: false, error: expect.stringContaining('deeper') });
  expect(await send(socket, 'steps', { run, attempt: 1, steps })).toEqual({ ok: true });
});

test('a list as a custom scalar in JSON costs itself alone', async () => {
  const { run, socket } = await server.emitter();
  const steps = [{ step: 0, time: BEGAN, loss: 2, custom: { accuracy: [1], evalLoss: 3 } }];
  expect(await send(socket, 'steps', { run, attempt: 1, steps })).toEqual({
    ok: true,
    dropped: [{ field: 'custom.accuracy', reason: 'not a number', count: 1 }],
  });
  expect(await recentSteps(server.db, { run, limit: 1 })).toMatchObject([{ loss: 2, custom: { evalLoss: 3 } }]);
});

test('of a large batch with one wrong value at its end the rest is stored', async () => {
  const { run, socket } = await server.emitter();
  const steps = stepsFrom(0, 4_096);
  steps[4_095] = { step: 4_095, time: BEGAN, layerGradVar: [1, 2, 3] };
  const ack = await send(socket, 'steps', encodeSteps({ run, attempt: 1, steps }));
  expect(ack).toEqual({ ok: true, dropped: [{ field: 'layerGradVar', reason: 'wrong length', count: 1 }] });
  expect(await recentSteps(server.db, { run, limit: 1 })).toMatchObject([{ step: 4_095, layerGradVar: null }]);
});

test('steps that are sent right before the end of a run are stored, and it ends after them', async () => {
  const { run, socket } = await server.emitter();
  const frames = [0, 1, 2].map((at) => encodeSteps({ run, attempt: 1, steps: stepsFrom(1_000 * at, 1_000) }));
  const acks = await Promise.all([
    ...frames.map((frame) => send(socket, 'steps', frame)),
    send(socket, 'run:finish', { run, attempt: 1, status: 'finished' }),
  ]);
  expect(acks).toEqual(Array(4).fill({ ok: true }));
  expect(await recentSteps(server.db, { run, limit: 5_000 })).toHaveLength(3_000);
});
