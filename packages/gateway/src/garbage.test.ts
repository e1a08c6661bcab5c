import { recentSteps } from '@evenkeel/db';
import { ack as ackSchema, decodeSteps, encodeSteps, MAX_FRAME_BYTES } from '@evenkeel/protocol';
import fc from 'fast-check';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { BEGAN, connected, send, startOf, startTestGateway, stepsFrom, type TestGateway } from './testing.ts';

let server: TestGateway;
beforeAll(async () => {
  server = await startTestGateway();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** Sends each payload, many at a time, and returns what came back. */
async function sendAll(socket: Socket, event: string, payloads: readonly unknown[]) {
  const answers: { payload: unknown; ack: Awaited<ReturnType<typeof send>> }[] = [];
  for (let at = 0; at < payloads.length; at += 200) {
    const some = payloads.slice(at, at + 200);
    const acks = await Promise.all(some.map((payload) => send(socket, event, payload)));
    answers.push(...acks.map((ack, index) => ({ payload: some[index], ack })));
  }
  return answers;
}

async function expectAlive(): Promise<void> {
  const { run, socket } = await server.emitter();
  expect(await send(socket, 'steps', encodeSteps({ run, attempt: 1, steps: stepsFrom(0, 2) }))).toEqual({ ok: true });
  expect(server.errors).toEqual([]);
}

test('3,000 frames of random bytes are refused by name and store nothing', async () => {
  const { run, socket } = await server.emitter();
  const frames = fc.sample(fc.uint8Array({ maxLength: 300 }), { numRuns: 3_000 });
  for (const { ack } of await sendAll(socket, 'steps', frames)) {
    expect(ack).toMatchObject({ error: expect.any(String), field: expect.any(String), retry: false });
  }
  expect(await recentSteps(server.db, { run, limit: 10 })).toEqual([]);
  await expectAlive();
});

test('4,000 damaged frames: each is stored whole or refused with its field', async () => {
  const { run, socket } = await server.emitter();
  const frames = fc.sample(damage, { numRuns: 4_000 }).map((harm, index) => damaged(run, index, harm));
  const answers = await sendAll(socket, 'steps', frames);
  const stored = answers.filter(({ ack }) => 'ok' in ack);
  const refused = answers.filter(({ ack }) => !('ok' in ack));
  expect(stored.length).toBeGreaterThan(0);
  for (const { ack } of refused) expect(ack).toMatchObject({ field: expect.any(String), retry: false });
  const expected = new Map(
    stored.flatMap(({ payload }) => decodeSteps(payload as Uint8Array).steps.map(({ step, loss }) => [step, loss])),
  );
  const found = await recentSteps(server.db, { run, limit: 100_000 });
  expect(new Map(found.map(({ step, loss }) => [step, loss ?? undefined]))).toEqual(expected);
  await expectAlive();
});

const STEPS_PER_FRAME = 4;
const damage = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  byte: fc.nat(255),
  cut: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.double({ min: 0, max: 1, noNaN: true })),
});

/** A frame with steps of its own, in which one byte is another and the end may be missing. */
function damaged(run: string, index: number, { at, byte, cut }: { at: number; byte: number; cut: number }): Uint8Array {
  const first = index * STEPS_PER_FRAME;
  const plain = stepsFrom(first, STEPS_PER_FRAME - 1, (step) => step / 8);
  const full = {
    step: first + STEPS_PER_FRAME - 1,
    time: BEGAN,
    loss: 1,
    tevQuantiles: Array(9).fill(1),
    custom: { eval: 1 },
  };
  const frame = encodeSteps({ run, attempt: 1, steps: [...plain, full] });
  frame[Math.floor(at * frame.length)] = byte;
  return frame.slice(0, Math.floor(cut * frame.length));
}

const brokenField = fc.oneof(
  fc.record({ field: fc.constant('step'), value: fc.oneof(fc.constantFrom(1.5, '1', null, 2 ** 50), fc.string()) }),
  fc.record({ field: fc.constant('time'), value: fc.oneof(fc.constantFrom(-1, 1e18, '2'), fc.boolean()) }),
  fc.record({
    field: fc.constant('loss'),
    value: fc.oneof(fc.string({ minLength: 9 }), fc.boolean(), fc.array(fc.nat())),
  }),
  fc.record({
    field: fc.constant('tokens'),
    value: fc.oneof(fc.double({ min: 0.1, max: 0.9, noNaN: true }), fc.constant('NaN')),
  }),
  fc.record({ field: fc.constant('tevQuantiles'), value: fc.array(fc.nat(), { maxLength: 8 }) }),
  fc.record({ field: fc.constant('layerGradVar'), value: fc.oneof(fc.string(), fc.constant(Array(513).fill(0))) }),
  fc.record({
    field: fc.constant('custom'),
    value: fc.oneof(
      fc.constant({ '': 1 }),
      fc.constant({ 'a\0b': 1 }),
      fc.constant(JSON.parse('{"__proto__":1}')),
      fc.boolean(),
    ),
  }),
);

test('2,000 JSON batches with one wrong value are stored without it, and the ack names its field', async () => {
  const { run, socket } = await server.emitter();
  const samples = fc.sample(fc.tuple(brokenField, fc.nat(2)), { numRuns: 2_000 });
  const payloads = samples.map(([{ field, value }, at], index) => {
    const steps = stepsFrom(3 * index, 3).map((step, place) => (place === at ? { ...step, [field]: value } : step));
    return { run, attempt: 1, steps };
  });
  const answers = await sendAll(socket, 'steps', payloads);
  const dropped = samples.map(([{ field }]) => [{ field: expect.stringContaining(field), count: 1 }]);
  expect(answers.map(({ ack }) => ack)).toMatchObject(dropped.map((dropped) => ({ ok: true, dropped })));
  const kept = samples.flatMap(([{ field }, at], index) =>
    [0, 1, 2].filter((place) => field !== 'step' || place !== at).map((place) => 3 * index + place),
  );
  expect((await recentSteps(server.db, { run, limit: 10_000 })).map(({ step }) => step)).toEqual(kept);
  await expectAlive();
});

test('2,500 arbitrary values, 500 on every event and on some that do not exist, get an answer of the protocol', async () => {
  const { socket } = await server.emitter();
  const values = fc
    .sample(fc.oneof(fc.anything({ maxDepth: 3 }), fc.jsonValue(), fc.string()), { numRuns: 500 })
    .map(transportable);
  for (const event of ['run:start', 'steps', 'run:finish', 'no such event', 5 as unknown as string]) {
    for (const { ack } of await sendAll(socket, event, values)) {
      expect(ackSchema.parse(ack)).toMatchObject({
        error: expect.any(String),
        field: expect.any(String),
        retry: false,
      });
    }
  }
  await expectAlive();
});

/** What JSON can carry of a value, since socket.io's parser writes JSON. */
function transportable(value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value) ?? 'null');
  } catch {
    return 'not JSON';
  }
}

const wrongStarts: [string, Record<string, unknown>][] = [
  ['run', { run: 'not-a-uuid' }],
  ['attempt', { attempt: 0 }],
  ['project', { project: '' }],
  ['project', { project: 'x'.repeat(201) }],
  ['name', { name: 'half a pair \ud83d' }],
  ['name', { name: 'NUL \0' }],
  ['config', { config: [] }],
  ['config', { config: { long: 'x'.repeat(70_000) } }],
  ['tags', { tags: Array(65).fill('tag') }],
  ['layers', { layers: Array(513).fill('layer') }],
  ['startedAt', { startedAt: 'yesterday' }],
];

test.each(wrongStarts)('a run:start with a wrong %s is refused by that name', async (field, wrong) => {
  const socket = server.client('/ingest');
  await connected(socket);
  const ack = await send(socket, 'run:start', { ...startOf('01890000-0000-7000-8000-000000000001'), ...wrong });
  expect(ack).toMatchObject({ field: expect.stringContaining(field), retry: false });
});

test('a configuration nested very deep is refused, not fatal', async () => {
  const { socket } = await server.emitter();
  const deep = '['.repeat(30_000) + ']'.repeat(30_000);
  const ack = await send(socket, 'run:start', {
    ...startOf('01890000-0000-7000-8000-000000000002'),
    config: { deep: JSON.parse(deep.slice(29_000, 31_000)) },
  });
  expect(ack).toMatchObject({ field: 'config', retry: false });
  await expectAlive();
});

test('a frame above the limit closes the connection and stores nothing', async () => {
  const { run, socket } = await server.emitter();
  const closed = new Promise((resolve) => socket.once('disconnect', resolve));
  socket.emit('steps', new Uint8Array(MAX_FRAME_BYTES + 1));
  await closed;
  expect(await recentSteps(server.db, { run, limit: 10 })).toEqual([]);
  await expectAlive();
});

test('1,000 connections that send no packet of socket.io are closed or ignored', async () => {
  const address = `${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;
  const messages = fc.sample(fc.oneof(fc.string(), fc.uint8Array()), { numRuns: 1_000 });
  for (let at = 0; at < messages.length; at += 50) {
    await Promise.all(messages.slice(at, at + 50).map((message) => shout(address, message)));
  }
  await expectAlive();
});

/** Opens a bare websocket, sends one message as an open packet's payload and ends the connection. */
function shout(address: string, message: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(address);
    socket.once('error', () => {});
    socket.once('close', () => resolve());
    socket.once('message', () => {
      socket.send(message);
      socket.close();
    });
  });
}
