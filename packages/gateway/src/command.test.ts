import { randomUUID } from 'node:crypto';
import { findCommand, listCommands } from '@evenkeel/db';
import { type Command, encodeSteps } from '@evenkeel/protocol';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { connected, send, startOf, startTestGateway, stepsFrom, type TestGateway } from './testing.ts';

let server: TestGateway;
beforeAll(async () => {
  server = await startTestGateway();
});
afterAll(async () => {
  expect(server.errors).toEqual([]);
  await server[Symbol.asyncDispose]();
});

const STOP = { action: { kind: 'stop' }, by: 'ada', reason: 'enough' } as const;

/** Commands that a socket receives, each answered in the same way; null leaves it unanswered. */
function commandsOf(socket: Socket, answer: unknown = { ok: true }): Command[] {
  const commands: Command[] = [];
  socket.on('command', (command, ack) => {
    commands.push(command);
    if (answer) ack(answer);
  });
  return commands;
}

/** Connects to an attempt of a run, as an emitter does after a broken connection. */
async function comeBack(run: string, attempt = 1): Promise<Command[]> {
  const socket = server.client('/ingest');
  const commands = commandsOf(socket);
  await connected(socket);
  await send(socket, 'run:start', { ...startOf(run), attempt });
  return commands;
}

test('a command reaches the emitter of the run and no other, and is acknowledged', async () => {
  const [wanted, other] = await Promise.all([server.emitter(), server.emitter()]);
  const [received, others] = [commandsOf(wanted.socket), commandsOf(other.socket)];
  const given = await server.gateway.command({ run: wanted.run, ...STOP });
  expect(given).toMatchObject({ status: 'acknowledged', attempt: 1, kind: 'stop' });
  expect(received).toEqual([{ id: given.id, run: wanted.run, kind: 'stop', by: 'ada', reason: 'enough' }]);
  expect(others).toEqual([]);
});

test('an unknown run is refused', async () => {
  await expect(server.gateway.command({ run: randomUUID(), ...STOP })).rejects.toMatchObject({ field: 'run' });
});

test('what nobody has acknowledged goes out again when the emitter comes back, and not a second time', async () => {
  const { run, socket } = await server.emitter();
  commandsOf(socket, null);
  const action = { kind: 'reduce-lr', factor: 0.5 } as const;
  const giving = server.gateway.command({ run, ...STOP, action });
  await new Promise((resolve) => socket.once('command', resolve));
  socket.disconnect();
  const received = await comeBack(run);
  const { id } = await giving;
  await vi.waitFor(
    async () => expect(await findCommand(server.db, { run, id })).toMatchObject({ status: 'acknowledged' }),
    20_000,
  );
  expect(received).toEqual([{ id, run, ...action, by: 'ada', reason: 'enough' }]);
  const again = await comeBack(run);
  await server.gateway.command({ run, ...STOP });
  expect(again.map(({ kind }) => kind)).toEqual(['stop']);
});

test('several that wait go out in the order in which they were given', async () => {
  const { run, socket } = await server.emitter();
  await server.disconnect(socket);
  const kinds = ['checkpoint', 'stop'] as const;
  for (const kind of kinds) {
    expect(await server.gateway.command({ run, ...STOP, action: { kind } })).toMatchObject({ status: 'pending' });
  }
  const received = await comeBack(run);
  await vi.waitFor(() => expect(received.map(({ kind }) => kind)).toEqual(kinds), 20_000);
});

test('a refusal is kept as the reason why it failed', async () => {
  const { run, socket } = await server.emitter();
  commandsOf(socket, { error: 'there is no such command here', field: 'kind', retry: false });
  const given = await server.gateway.command({ run, ...STOP });
  expect(given).toMatchObject({ status: 'failed', error: 'there is no such command here' });
});

test('the emitter of an older attempt receives no command', async () => {
  const { run, socket } = await server.emitter();
  const old = commandsOf(socket);
  const received = await comeBack(run, 2);
  await server.gateway.command({ run, ...STOP });
  expect(received).toHaveLength(1);
  expect(old).toEqual([]);
});

test('a trainer reports the result of a command, and viewers receive that there is one', async () => {
  const { run, socket } = await server.emitter();
  commandsOf(socket);
  const viewer = server.client('/live');
  await connected(viewer);
  const { id } = await server.gateway.command({ run, ...STOP, action: { kind: 'checkpoint' } });
  const announced = new Promise((resolve) => viewer.once('command', resolve));
  expect(await send(socket, 'command:done', { run, id, result: 'kept at step 7' })).toEqual({ ok: true });
  expect(await findCommand(server.db, { run, id })).toMatchObject({ status: 'done', result: 'kept at step 7' });
  expect(await announced).toEqual({ run });
  expect(await send(socket, 'command:done', { run, id: randomUUID() })).toMatchObject({ field: 'id', retry: false });
  expect(await send(socket, 'command:done', { run: randomUUID(), id })).toMatchObject({ field: 'id' });
});

test('the emitter of an older attempt cannot report the result of a command for the newest', async () => {
  const { run, socket } = await server.emitter();
  const second = server.client('/ingest');
  await connected(second);
  await send(second, 'run:start', startOf(run, 2));
  commandsOf(second);
  const { id } = await server.gateway.command({ run, ...STOP });
  expect(await send(socket, 'command:done', { run, id, error: 'no' })).toMatchObject({ field: 'run', retry: false });
  expect(await findCommand(server.db, { run, id })).toMatchObject({ status: 'acknowledged' });
});

test('an alert is answered as the policy of the run says, once, and the history says by what and why', async () => {
  const socket = server.client('/ingest');
  const received = commandsOf(socket);
  await connected(socket);
  const run = randomUUID();
  const policy = { critical: { kind: 'stop' } };
  await send(socket, 'run:start', { ...startOf(run), policy });
  const steps = stepsFrom(0, 20, (step) => (step >= 10 ? Number.NaN : 2));
  await send(socket, 'steps', encodeSteps({ run, attempt: 1, steps }));
  await vi.waitFor(() => expect(received).toHaveLength(1), 20_000);
  expect(received).toMatchObject([
    { run, kind: 'stop', by: 'non-finite', reason: expect.stringMatching(/^critical non-finite at step 10: /) },
  ]);
  await send(socket, 'run:finish', { run, attempt: 1, status: 'stopped' });
  expect(await listCommands(server.db, { run, limit: 9 })).toMatchObject([
    { status: 'done', by: 'non-finite', step: 10 },
  ]);
});

test('a policy that nobody could obey is refused by its field', async () => {
  const socket = server.client('/ingest');
  await connected(socket);
  const start = (policy: unknown) => send(socket, 'run:start', { ...startOf(randomUUID()), policy });
  expect(await start({ critical: { kind: 'reduce-lr', factor: 2 } })).toMatchObject({
    field: 'policy.critical.factor',
  });
  expect(await start({ warning: { kind: 'explode' } })).toMatchObject({ field: 'policy.warning.kind' });
});
