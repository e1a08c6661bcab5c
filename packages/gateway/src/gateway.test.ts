import { createApiKey, getRun, listAlerts, recentSteps, revokeApiKey } from '@evenkeel/db';
import {
  type BoardChange,
  decodeSteps,
  encodeSteps,
  mergeStep,
  type StepBatch,
  type StepEvent,
} from '@evenkeel/protocol';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import {
  BEGAN,
  connected,
  HANDSHAKE,
  send,
  startOf,
  startTestGateway,
  stepsFrom,
  type TestGateway,
} from './testing.ts';

let server: TestGateway;
beforeAll(async () => {
  server = await startTestGateway();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

test('a batch is in the database once it is acknowledged', async () => {
  const { run, socket } = await server.emitter();
  const batch: StepBatch = { run, attempt: 1, steps: stepsFrom(0, 300) };
  batch.steps[7] = {
    step: 7,
    time: BEGAN + 5,
    loss: Number.NaN,
    gradNorm: Number.POSITIVE_INFINITY,
    custom: { eval: 1.5 },
  };
  expect(await send(socket, 'steps', encodeSteps(batch))).toEqual({ ok: true });
  const stored = await recentSteps(server.db, { run, limit: 1_000 });
  expect(stored.map(({ step }) => step)).toEqual(batch.steps.map(({ step }) => step));
  expect(stored[7]).toMatchObject({ loss: Number.NaN, gradNorm: Number.POSITIVE_INFINITY, custom: { eval: 1.5 } });
});

test('a batch as JSON is the same as one in binary', async () => {
  const { run, socket } = await server.emitter();
  const steps = [{ step: 1, time: BEGAN + 2, loss: 'NaN', tevMean: 0.5 }];
  expect(await send(socket, 'steps', { run, attempt: 1, steps })).toEqual({ ok: true });
  expect(await recentSteps(server.db, { run, limit: 10 })).toMatchObject([{ step: 1, loss: Number.NaN, tevMean: 0.5 }]);
});

test('batches of many connections at once are all stored', async () => {
  const emitters = await Promise.all(Array.from({ length: 20 }, () => server.emitter()));
  const acks = await Promise.all(
    emitters.flatMap(({ run, socket }) =>
      [0, 50, 100].map((first) => send(socket, 'steps', encodeSteps({ run, attempt: 1, steps: stepsFrom(first, 50) }))),
    ),
  );
  expect(acks).toEqual(acks.map(() => ({ ok: true })));
  for (const { run } of emitters) {
    expect(await recentSteps(server.db, { run, limit: 1_000 })).toHaveLength(150);
  }
});

test('one refused batch does not harm the others of its group', async () => {
  const [good, bad] = await Promise.all([server.emitter(), server.emitter()]);
  const [stored, refused] = await Promise.all([
    send(good.socket, 'steps', encodeSteps({ run: good.run, attempt: 1, steps: stepsFrom(0, 3) })),
    send(bad.socket, 'steps', encodeSteps({ run: bad.run, attempt: 7, steps: stepsFrom(0, 3) })),
  ]);
  expect(stored).toEqual({ ok: true });
  expect(refused).toMatchObject({ field: 'attempt', retry: false });
  expect(await recentSteps(server.db, { run: bad.run, limit: 10 })).toEqual([]);
});

test('a value that the run cannot have is left out, named in the ack, and not sent to viewers', async () => {
  const { run, socket } = await server.emitter();
  const viewer = server.client('/live');
  await connected(viewer);
  await send(viewer, 'watch', { run });
  const frame = new Promise<Uint8Array>((resolve) => viewer.once('steps', resolve));
  const steps = [{ step: 0, time: BEGAN + 1, loss: 2, layerGradVar: [1, 2, 3] }];
  const ack = await send(socket, 'steps', encodeSteps({ run, attempt: 1, steps }));
  expect(ack).toEqual({ ok: true, dropped: [{ field: 'layerGradVar', reason: 'wrong length', count: 1 }] });
  expect(await recentSteps(server.db, { run, limit: 10 })).toMatchObject([{ loss: 2, layerGradVar: null }]);
  expect(decodeSteps(await frame).steps).toEqual([{ step: 0, time: BEGAN + 1, loss: 2 }]);
});

test('a time in seconds is refused with its batch, as JSON and as a frame', async () => {
  const { run, socket } = await server.emitter();
  const steps = [
    { step: 0, time: BEGAN, loss: 1 },
    { step: 1, time: BEGAN / 1_000, loss: 1 },
  ];
  const refused = {
    error: 'is below 10^11: times are in milliseconds since 1970',
    field: 'steps[1].time',
    retry: false,
  };
  for (const payload of [{ run, attempt: 1, steps }, encodeSteps({ run, attempt: 1, steps })]) {
    expect(await send(socket, 'steps', payload)).toEqual(refused);
  }
  expect(await recentSteps(server.db, { run, limit: 10 })).toEqual([]);
});

test('training and evaluation of one step in two messages are both kept, and drawn as one step', async () => {
  const { run, socket } = await server.emitter();
  const viewer = server.client('/live');
  await connected(viewer);
  await send(viewer, 'watch', { run });
  const seen: StepEvent[] = []; // in one frame, or in two where the second part is stored later
  viewer.on('steps', (frame: Uint8Array) => seen.push(...decodeSteps(frame).steps));
  const parts = [
    { step: 0, time: BEGAN + 1, loss: 1 },
    { step: 0, time: BEGAN + 2, custom: { evalLoss: 1 } },
  ];
  await Promise.all(parts.map((step) => send(socket, 'steps', { run, attempt: 1, steps: [step] })));
  const whole = { step: 0, time: BEGAN + 1, loss: 1, custom: { evalLoss: 1 } };
  expect(await recentSteps(server.db, { run, limit: 10 })).toMatchObject([whole]);
  await expect.poll(() => seen.length > 0 && seen.reduce(mergeStep)).toEqual(whole);
});

test('a bare NaN in JSON closes the connection, and the log says why', async () => {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('message', (data) => {
    const packet = String(data);
    if (packet.startsWith('0')) socket.send(`40/ingest,${JSON.stringify(HANDSHAKE)}`);
    if (packet.startsWith('40/ingest')) socket.send('42/ingest,0["steps",{"loss":NaN}]');
  });
  await closed;
  await expect.poll(() => server.errors).toContainEqual(expect.stringContaining('NaN and Infinity must be strings'));
});

test('steps of a run that this connection did not start are refused', async () => {
  const { socket } = await server.emitter();
  const run = '00000000-0000-7000-8000-000000000000';
  const ack = await send(socket, 'steps', encodeSteps({ run, attempt: 1, steps: stepsFrom(0, 1) }));
  expect(ack).toMatchObject({ field: 'run', retry: false });
});

test('a client of another protocol version is refused with the side to upgrade', async () => {
  const socket = server.client('/ingest', { protocol: 99, client: 'test' });
  await expect(connected(socket)).rejects.toMatchObject({
    message: expect.stringContaining('upgrade the server'),
    data: { field: 'protocol', retry: false },
  });
});

test('a viewer gets the steps of the run it watches, coalesced, and the board of all runs', async () => {
  const { run, socket } = await server.emitter();
  const viewer = server.client('/live');
  await connected(viewer);
  expect(await send(viewer, 'watch', { run })).toEqual({ ok: true });
  const seen: number[] = [];
  const boards: BoardChange[] = [];
  viewer.on('steps', (frame: ArrayBuffer, ack: () => void) => {
    seen.push(...decodeSteps(new Uint8Array(frame)).steps.map(({ step }) => step));
    ack();
  });
  viewer.on('board', (changes: BoardChange[]) => boards.push(...changes));
  for (let first = 0; first < 100; first += 10) {
    await send(socket, 'steps', encodeSteps({ run, attempt: 1, steps: stepsFrom(first, 10) }));
  }
  await vi.waitFor(() => expect(seen).toEqual(Array.from({ length: 100 }, (_, step) => step)), 30_000);
  await vi.waitFor(() => expect(boards.findLast((change) => change.run === run)?.lastStep).toBe(99), 30_000);
});

/** Frames that a viewer is sent without an acknowledgement. */
const MAX_UNACKNOWLEDGED = 16;

test('a viewer that acknowledges nothing is skipped ahead and is informed when it catches up', async () => {
  const { run, socket } = await server.emitter();
  const viewer = server.client('/live');
  await connected(viewer);
  await send(viewer, 'watch', { run });
  const acks: (() => void)[] = [];
  viewer.on('steps', (_frame: ArrayBuffer, ack: () => void) => acks.push(ack));
  const behind = new Promise((resolve) => viewer.once('behind', resolve));
  let first = 0;
  let skipped = 0;
  await vi.waitFor(
    async () => {
      // Each wait of vi.waitFor lets a tick pass; on a busy machine several batches may share a frame all the same.
      await send(socket, 'steps', encodeSteps({ run, attempt: 1, steps: stepsFrom(first++, 1) }));
      if (acks.length === MAX_UNACKNOWLEDGED) skipped++;
      expect(skipped).toBeGreaterThan(3);
    },
    { timeout: 120_000, interval: 60 },
  );
  for (const ack of acks) ack();
  expect(await behind).toEqual({ run });
});

test('a run that turns non-finite gets one alert, which a viewer receives', async () => {
  const { run, socket } = await server.emitter();
  const viewer = server.client('/live');
  await connected(viewer);
  const received = new Promise((resolve) => viewer.on('alert', (alert) => alert.run === run && resolve(alert)));
  const steps = stepsFrom(0, 20, (step) => (step >= 10 ? Number.NaN : 2));
  await send(socket, 'steps', encodeSteps({ run, attempt: 1, steps }));
  expect(await received).toMatchObject({ rule: 'non-finite', severity: 'critical', step: 10, status: 'open' });
  expect(await listAlerts(server.db, { run, limit: 10 })).toHaveLength(1);
});

test('a finished run stays finished when its start is repeated, and runs again with the next attempt', async () => {
  const { run, socket } = await server.emitter();
  await send(socket, 'run:finish', { run, attempt: 1, status: 'stopped', reason: 'by hand' });
  await send(socket, 'run:start', startOf(run));
  expect(await getRun(server.db, run)).toMatchObject({ status: 'stopped', reason: 'by hand' });
  await send(socket, 'run:start', startOf(run, 2));
  expect(await getRun(server.db, run)).toMatchObject({ status: 'running', reason: null });
});

test('the namespace / takes nobody', async () => {
  await expect(connected(server.client('/'))).rejects.toThrow('/ingest or /live');
});

// Last, since from the first key on every emitter of this server needs one.
test('keys are needed once one exists, and revoking one closes its connections', async () => {
  const open = server.client('/ingest');
  await connected(open);
  const { key, secret } = await createApiKey(server.db, 'lab', new Date());
  const refusedAfterwards = new Promise((resolve) => open.once('connect_error', resolve));
  await server.gateway.keysChanged();
  expect(await refusedAfterwards).toMatchObject({ data: { field: 'key', retry: false } });

  const withKey = server.client('/ingest', { ...HANDSHAKE, key: secret });
  await connected(withKey);
  await expect(connected(server.client('/ingest', { ...HANDSHAKE, key: `${secret}x` }))).rejects.toMatchObject({
    data: { field: 'key' },
  });
  const cutOff = new Promise((resolve) => withKey.once('connect_error', resolve));
  await revokeApiKey(server.db, key.id, new Date());
  await server.gateway.keysChanged();
  expect(await cutOff).toMatchObject({ message: expect.stringContaining('revoked') });
});
