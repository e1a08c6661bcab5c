import { randomUUID } from 'node:crypto';
import type { Command, RunStart } from '@evenkeel/protocol';
import { expect, test, vi } from 'vitest';
import { CommandDesk } from './command-desk.ts';
import type { CommandHandler } from './public.ts';
import { IngestServer, openTestRun, range, settled } from './testing.ts';

const OK = { ok: true };

/** A server, a run that has started on it, and how to command that run. */
async function commandedRun(onCommand?: CommandHandler) {
  const server = await IngestServer.listen();
  const test = openTestRun(server, { onCommand });
  const { run } = test;
  const isStarted = () => expect(server.received.some(({ event }) => event === 'run:start')).toBe(true);
  await vi.waitFor(isStarted, 30_000);
  const base = { id: randomUUID(), run: run.id, by: 'ada', reason: 'it rises' };
  return {
    ...{ server, run },
    checkpoint: { ...base, kind: 'checkpoint' },
    send: (command: object): Promise<unknown> | undefined =>
      server.sockets[0]?.timeout(60_000).emitWithAck('command', command),
    reports: () => server.received.filter(({ event }) => event === 'command:done').map(({ payload }) => payload),
    [Symbol.asyncDispose]: async () => {
      await test[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

test('a command is acknowledged before it is carried out, and reported once it is', async () => {
  const received: Command[] = [];
  let carryOut = (_words: string) => {};
  await using trainer = await commandedRun((command) => {
    received.push(command);
    return new Promise((resolve) => {
      carryOut = resolve;
    });
  });
  const { checkpoint } = trainer;
  expect(await trainer.send(checkpoint)).toEqual(OK);
  expect(received).toEqual([checkpoint]);
  expect(trainer.reports()).toEqual([]);
  carryOut('kept at step 7');
  const { run, id } = checkpoint;
  await vi.waitFor(
    () => expect(trainer.reports()).toEqual([{ run, id, result: 'kept at step 7', error: null }]),
    20_000,
  );
});

test('a command that comes again is acknowledged again and not carried out again, also after a reconnect', async () => {
  const handler = vi.fn(() => undefined);
  await using trainer = await commandedRun(handler);
  for (let time = 0; time < 2; time++) expect(await trainer.send(trainer.checkpoint)).toEqual(OK);
  const before = trainer.server.received.length;
  await trainer.server.stop();
  await trainer.server.start();
  await vi.waitFor(() => expect(trainer.server.received[before]?.event).toBe('run:start'), 30_000);
  expect(await trainer.send(trainer.checkpoint)).toEqual(OK);
  expect(handler).toHaveBeenCalledTimes(1);
});

test('the result of a command is sent until the server takes it', async () => {
  await using trainer = await commandedRun(() => 'done');
  let refusals = 3;
  trainer.server.answer = ({ event }) =>
    event === 'command:done' && refusals-- > 0 ? { error: 'busy', field: '', retry: true } : OK;
  await trainer.send(trainer.checkpoint);
  await vi.waitFor(() => expect(trainer.reports()).toHaveLength(4), 20_000);
  trainer.run.log({ step: 0, loss: 1 });
  expect(await trainer.run.finish('finished')).toMatchObject({ delivered: true });
  expect(trainer.reports()).toHaveLength(4);
});

test.each<[string, CommandHandler]>([
  [
    'throws',
    () => {
      throw new Error('disk full');
    },
  ],
  [
    'rejects',
    async () => {
      throw new Error('disk full');
    },
  ],
])('a handler that %s is reported as a failure', async (_how, handler) => {
  await using trainer = await commandedRun(handler);
  expect(await trainer.send(trainer.checkpoint)).toEqual(OK);
  await vi.waitFor(() => expect(trainer.reports()).toMatchObject([{ result: null, error: 'disk full' }]), 20_000);
});

test('a handler that throws what cannot be printed does no harm', async () => {
  await using trainer = await commandedRun(() => {
    throw { toString: () => Symbol('x') };
  });
  await trainer.send(trainer.checkpoint);
  await vi.waitFor(
    () => expect(trainer.reports()).toMatchObject([{ error: expect.stringContaining('could not say') }]),
    20_000,
  );
});

test('a stop aborts the signal and is carried out too; its result comes before the end of the run', async () => {
  let carryOut = (_words: string) => {};
  await using trainer = await commandedRun(
    () =>
      new Promise((resolve) => {
        carryOut = resolve;
      }),
  );
  await trainer.send({ ...trainer.checkpoint, kind: 'stop' });
  expect(trainer.run.signal.reason).toEqual(new Error('it rises'));
  carryOut('kept at step 7');
  await trainer.run.finish('stopped');
  const events = trainer.server.received.map(({ event }) => event);
  expect(events).toEqual(['run:start', 'command:done', 'run:finish']);
});

test('the end of a run waits for a command that is being carried out, but not forever', async () => {
  let carryOut = (_words: string) => {};
  await using trainer = await commandedRun(
    () =>
      new Promise((resolve) => {
        carryOut = resolve;
      }),
  );
  await trainer.send({ ...trainer.checkpoint, kind: 'stop' });
  const finishing = trainer.run.finish('stopped', undefined, { timeoutMs: 60_000 });
  expect(trainer.server.received.map(({ event }) => event)).toEqual(['run:start']);
  carryOut('kept at step 7');
  expect(await finishing).toMatchObject({ delivered: true });
  expect(trainer.server.received.map(({ event }) => event)).toEqual(['run:start', 'command:done', 'run:finish']);

  await using stuck = await commandedRun(() => new Promise(() => {}));
  await stuck.send(stuck.checkpoint);
  expect(await stuck.run.finish('finished', undefined, { timeoutMs: 10_000 })).toMatchObject({ delivered: true });
});

test('a run without a handler obeys stop alone', async () => {
  await using trainer = await commandedRun();
  const refusal = { field: 'kind', error: expect.stringContaining('onCommand'), retry: false };
  expect(await trainer.send(trainer.checkpoint)).toMatchObject(refusal);
  expect(await trainer.send({ ...trainer.checkpoint, kind: 'reduce-lr', factor: 0.5 })).toMatchObject(refusal);
  expect(await trainer.send({ ...trainer.checkpoint, kind: 'reduce-lr' })).toMatchObject({ field: 'factor' });
  expect(trainer.run.signal.aborted).toBe(false);
  expect(await trainer.send({ ...trainer.checkpoint, kind: 'stop' })).toEqual(OK);
  expect(trainer.run.signal.aborted).toBe(true);
  await trainer.run.finish('stopped');
  expect(trainer.reports()).toEqual([]);
});

test('a policy goes out with the start of the run', async () => {
  await using server = await IngestServer.listen();
  const policy = { critical: { kind: 'stop' } } as const;
  await using _test = openTestRun(server, { policy });
  await vi.waitFor(() => expect(server.received).toHaveLength(1), 30_000);
  const [start] = server.received.map(({ payload }) => payload as RunStart);
  expect(start?.policy).toEqual({ warning: { kind: 'observe' }, critical: { kind: 'stop' } });
});

/** A handler whose commands are carried out when the test says so. */
function heldHandler() {
  const began: Command[] = [];
  const release: (() => void)[] = [];
  const handler = (command: Command) => {
    began.push(command);
    return new Promise<undefined>((resolve) => release.push(() => resolve(undefined)));
  };
  return { began, release, handler };
}

test('two commands at one moment are carried out one after the other, in order', async () => {
  const { began, release, handler } = heldHandler();
  await using trainer = await commandedRun(handler);
  const orders = [0.5, 0.25].map((factor) => ({ ...trainer.checkpoint, id: randomUUID(), kind: 'reduce-lr', factor }));
  expect(await Promise.all(orders.map(trainer.send))).toEqual([OK, OK]);
  expect(began).toEqual(orders.slice(0, 1));
  release[0]?.();
  await vi.waitFor(() => expect(began).toEqual(orders), 20_000);
  release[1]?.();
  await vi.waitFor(() => expect(trainer.reports()).toMatchObject(orders.map(({ id }) => ({ id }))), 20_000);
});

test('a stop aborts the signal at once while another command is carried out, and waits for its turn', async () => {
  const { began, release, handler } = heldHandler();
  await using trainer = await commandedRun(handler);
  const stop = { ...trainer.checkpoint, id: randomUUID(), kind: 'stop' };
  await trainer.send(trainer.checkpoint);
  await trainer.send(stop);
  expect(trainer.run.signal.aborted).toBe(true);
  expect(began).toEqual([trainer.checkpoint]);
  release[0]?.();
  await vi.waitFor(() => expect(began).toEqual([trainer.checkpoint, stop]), 20_000);
  release[1]?.();
});

test('commands that wait when the run is over are not carried out any more', async () => {
  const { began, release, handler } = heldHandler();
  await using trainer = await commandedRun(handler);
  await trainer.send(trainer.checkpoint);
  await trainer.send({ ...trainer.checkpoint, id: randomUUID() });
  await trainer.run.finish('finished', undefined, { timeoutMs: 500 });
  release[0]?.();
  await new Promise(setImmediate);
  expect(began).toEqual([trainer.checkpoint]);
});

test('steps do not wait for the results of commands', async () => {
  await using trainer = await commandedRun(() => 'done');
  const { run, server } = trainer;
  server.answer = ({ event }) => (event === 'command:done' ? null : OK);
  await trainer.send(trainer.checkpoint);
  await vi.waitFor(() => expect(trainer.reports()).toHaveLength(1), 20_000);
  for (const step of range(0, 1_500)) run.log({ step });
  await settled(run);
  expect(server.acceptedSteps).toEqual(range(0, 1_500));
  server.answer = () => OK;
});

test('the results of commands do not wait for steps', async () => {
  await using trainer = await commandedRun(() => 'done');
  const { run, server } = trainer;
  server.answer = ({ event }) => (event === 'steps' ? null : OK);
  run.log({ step: 0 });
  await vi.waitFor(() => expect(server.batches).toEqual([[0]]), 20_000);
  await trainer.send(trainer.checkpoint);
  await vi.waitFor(() => expect(trainer.reports()).toHaveLength(1), 20_000);
  server.answer = () => OK;
});

test('a flood of commands is refused, to be sent again later, and holds up no step; the first stop is taken', async () => {
  const { began, release, handler } = heldHandler();
  await using trainer = await commandedRun(handler);
  const { run, server } = trainer;
  const flood = range(0, 4_000).map(() => trainer.send({ ...trainer.checkpoint, id: randomUUID() }));
  for (const step of range(0, 1_500)) run.log({ step });
  await settled(run);
  expect(server.acceptedSteps).toEqual(range(0, 1_500));
  const answers = await Promise.all(flood);
  expect(answers.filter((answer) => (answer as typeof OK).ok)).toHaveLength(100);
  expect(answers.at(-1)).toEqual({
    error: '100 commands wait to be carried out or reported: send it again later',
    field: '',
    retry: true,
  });
  expect(await trainer.send({ ...trainer.checkpoint, id: randomUUID(), kind: 'stop' })).toEqual(OK);
  expect(run.signal.aborted).toBe(true);
  expect(await trainer.send({ ...trainer.checkpoint, id: randomUUID(), kind: 'stop' })).toMatchObject({ retry: true });
  expect(began).toHaveLength(1);
  release[0]?.();
});

test('ids of commands are remembered, but not forever', async () => {
  const handler = vi.fn(() => undefined);
  const run = randomUUID();
  const desk = new CommandDesk(run, handler, () => {});
  const commands = range(0, 10_001).map(() => ({ id: randomUUID(), run, kind: 'checkpoint', reason: 'it rises' }));
  const obey = async (command: object | undefined) => {
    desk.take(command, (answer) => expect(answer).toEqual(OK));
    await desk.idle();
    desk.reported();
  };
  for (const command of commands) await obey(command);
  await obey(commands[1]);
  expect(handler).toHaveBeenCalledTimes(10_001);
  await obey(commands[0]);
  expect(handler).toHaveBeenCalledTimes(10_002);
});

test.each<[string, (server: IngestServer) => void, string[]]>([
  [
    'of 1 MB',
    (server) => server.sockets[0]?.emit('command', { reason: 'x'.repeat(1_000_000) }),
    ['the server sent a message of more than 256 KiB: it was not read, and the connection closed'],
  ],
  [
    'with eleven attachments',
    (server) =>
      server.sockets[0]?.emit(
        'command',
        Array.from({ length: 11 }, () => Buffer.alloc(1)),
      ),
    [],
  ],
])('a message %s is not read; the run goes on over another connection', async (_what, send, expected) => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const { run, warnings } = recorded;
  await vi.waitFor(() => expect(server.received).toHaveLength(1), 20_000);
  send(server);
  await vi.waitFor(() => expect(server.handshakes).toHaveLength(2), 20_000);
  run.log({ step: 0 });
  await settled(run);
  expect(server.acceptedSteps).toEqual([0]);
  expect(warnings).toEqual(expected);
});
