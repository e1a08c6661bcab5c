import { randomUUID } from 'node:crypto';
import { mergeStep, RefusedError } from '@evenkeel/protocol';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { IMPATIENT, IngestServer, openTestRun, range, settled } from './testing.ts';

const OK = { ok: true } as const;

test('a run sends its start, every step in order, and its end', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server, {
    key: 'secret',
    layers: ['wte', 'h.0'],
    config: { d: 64, no: undefined },
  });
  const { run } = recorded;
  for (const step of range(0, 1000))
    run.log({ step, loss: Number.NaN, layerGradVar: [step, 1], custom: { accuracy: 0.5 } });
  expect(run.pending).toBe(1000);
  expect(await run.finish('failed', 'out of memory')).toEqual({
    delivered: true,
    pending: 0,
    spool: null,
    dropped: [],
  });

  expect(server.handshakes).toEqual([{ protocol: 1, client: 'evenkeel-emit/0.1.0', key: 'secret' }]);
  const [first, last] = [server.received[0], server.received.at(-1)];
  expect(first).toMatchObject({
    event: 'run:start',
    payload: { run: run.id, attempt: 1, layers: ['wte', 'h.0'], config: { d: 64 } },
  });
  expect(last).toMatchObject({
    event: 'run:finish',
    payload: { run: run.id, attempt: 1, status: 'failed', reason: 'out of memory' },
  });
  expect(server.acceptedSteps).toEqual(range(0, 1000));
  expect(server.accepted[7]).toMatchObject({
    step: 7,
    loss: Number.NaN,
    layerGradVar: [7, 1],
    custom: { accuracy: 0.5 },
  });
  expect(recorded.warnings).toEqual([]);
});

test('an idle run sends a step by itself, one under load up to 64 a message, one batch in flight', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const { run } = recorded;
  for (const step of range(0, 3)) {
    run.log({ step });
    await settled(run);
  }
  let inFlight = 0;
  let max = 0;
  server.answer = async () => {
    max = Math.max(max, ++inFlight);
    await new Promise(setImmediate);
    inFlight -= 1;
    return OK;
  };
  for (const step of range(3, 200)) run.log({ step });
  await settled(run);
  expect(server.batches.slice(0, 3)).toEqual([[0], [1], [2]]);
  expect(server.batches.slice(3).map(({ length }) => length)).toEqual([64, 64, 64, 5]);
  expect(max).toBe(1);
});

test('the server may be away at the start', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await using recorded = openTestRun(server);
  const { run, warnings } = recorded;
  for (const step of range(0, 10_000)) run.log({ step });
  await vi.waitFor(() => expect(warnings).toHaveLength(1), 30_000);
  expect(warnings[0]).toMatch(
    /^http:\/\/127\.0\.0\.1:\d+ cannot be reached \(connect ECONNREFUSED .*\): steps are kept/,
  );
  await server.start();
  await settled(run);
  expect(server.acceptedSteps).toEqual(range(0, 10_000));
  expect(server.batches.map(({ length }) => length)).toEqual([4096, 4096, 1808]);
});

test('a server that goes away and comes back misses nothing, and receives the start first each time', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const { run } = recorded;
  for (const life of range(0, 3)) {
    for (const step of range(life * 1000, life * 1000 + 500)) run.log({ step });
    await settled(run);
    await server.stop();
    for (const step of range(life * 1000 + 500, life * 1000 + 1000)) run.log({ step });
    await server.start();
  }
  expect(await run.finish()).toEqual({ delivered: true, pending: 0, spool: null, dropped: [] });
  expect(server.acceptedSteps).toEqual(range(0, 3000));
  expect(server.received.filter(({ event }) => event === 'run:start')).toHaveLength(4);
});

test('when the acknowledgement is lost with the connection, the same batch comes again, after the start', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const { run } = recorded;
  server.answer = ({ event }, socket) => {
    if (event !== 'steps') return OK;
    server.answer = () => OK;
    socket.conn.close();
    return null;
  };
  for (const step of range(0, 100)) run.log({ step });
  await settled(run);
  expect(server.received.map(({ event }) => event)).toEqual(['run:start', 'steps', 'run:start', 'steps', 'steps']);
  expect(server.batches).toEqual([range(0, 64), range(0, 64), range(64, 100)]);
});

test('over a line that fails in every way, each step is stored, and in order', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server, {}, 100_000, IMPATIENT);
  let turn = 0;
  server.answer = ({ event, steps }, socket) => {
    if (event !== 'steps') return OK;
    const fate = turn++ % 5;
    if (fate === 0) return OK;
    if (fate === 1) return { error: 'busy', field: '', retry: true };
    if (fate >= 3) server.accepted.push(...steps); // stored, but the answer is lost
    if (fate !== 3) socket.conn.close();
    return null;
  };
  for (const step of range(0, 1000)) {
    recorded.run.log({ step });
    if (step % 10 === 0) await new Promise(setImmediate);
  }
  expect(await recorded.run.finish()).toEqual({ delivered: true, pending: 0, spool: null, dropped: [] });
  expect([...new Set(server.acceptedSteps)]).toEqual(range(0, 1000));
  expect(server.acceptedSteps.length).toBeGreaterThan(1000);
});

test('a server that sends the run away is asked again', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  await vi.waitFor(() => expect(server.received).toHaveLength(1), 30_000);
  server.sockets[0]?.disconnect();
  recorded.run.log({ step: 1 });
  await settled(recorded.run);
  expect(server.acceptedSteps).toEqual([1]);
});

test('a batch without an answer is sent again, and so is one that may be retried', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server, {}, 100_000, IMPATIENT);
  const answers = [null, { error: 'busy', field: '', retry: true }, OK];
  server.answer = ({ event }) => (event === 'steps' ? (answers.shift() ?? null) : OK);
  recorded.run.log({ step: 1 });
  await settled(recorded.run);
  expect(server.batches).toEqual([[1], [1], [1]]);
  expect(recorded.warnings).toEqual([]);
});

test('a late answer to an earlier sending counts', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server, {}, 100_000, IMPATIENT);
  const answers: ((ack: typeof OK) => void)[] = [];
  server.answer = ({ event }) => (event === 'steps' ? new Promise((resolve) => answers.push(resolve)) : OK);
  recorded.run.log({ step: 1 });
  await vi.waitFor(() => expect(answers.length).toBeGreaterThan(1), 30_000);
  answers[0]?.(OK);
  await settled(recorded.run);
  expect(server.acceptedSteps).toEqual([1]);
});

test('values that another emitter of the attempt sends otherwise are warned of: the first of a field, then the 10th', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  server.answer = ({ steps }) => ({ ok: true, conflicts: steps.map(({ step }) => ({ field: 'custom.a\x1b', step })) });
  for (const step of range(3, 15)) recorded.run.log({ step, custom: { a: 1 } });
  await recorded.run.finish();
  const warning = (step: number) =>
    `another emitter of this attempt sends another value of custom.a\\x1b for step ${step}: the later one is kept`;
  expect(recorded.warnings).toEqual([warning(3), `${warning(12)} (10 times so far)`]);
});

test('a refused batch is dropped with one warning and never sent again; the others arrive', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const { run, warnings } = recorded;
  server.answer = ({ steps }) =>
    steps.some(({ step }) => step < 128)
      ? { error: 'too old', field: `steps[${steps[0]?.step}].step`, retry: false }
      : OK;
  for (const step of range(0, 200)) run.log({ step });
  expect(await run.finish()).toMatchObject({ delivered: false, pending: 0 });
  expect(server.batches).toEqual([range(0, 64), range(64, 128), range(128, 192), range(192, 200)]);
  expect(warnings).toEqual([
    'the server refused 64 steps, which are dropped: steps[0].step: too old',
    'steps of this run that the server never took: 128',
  ]);
});

test('the words of a server are cut short and free of control characters in a warning', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  server.answer = ({ event }) =>
    event === 'steps' ? { error: `\u001b[2J${'x'.repeat(200_000)}`, field: 'steps', retry: false } : OK;
  recorded.run.log({ step: 1 });
  await settled(recorded.run);
  expect(recorded.warnings[0]).toMatch(/^the server refused 1 steps, which are dropped: steps: \\x1b\[2Jx{1989}$/);
});

test('an answer that cannot be read counts as none', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const answers = ['what?', { ok: 'yes' }, OK];
  server.answer = () => answers.shift() ?? OK;
  recorded.run.log({ step: 1 });
  await settled(recorded.run);
  expect(server.received.map(({ event }) => event)).toEqual(['run:start', 'run:start', 'run:start', 'steps']);
});

test('a bad key is reported in the words of the server, and works as soon as the server knows it', async () => {
  await using server = await IngestServer.listen();
  server.admit = ({ key }) => (key ? new RefusedError('key', 'this ingest key is unknown or revoked') : null);
  await using recorded = openTestRun(server, { key: 'typo' });
  const { run, warnings } = recorded;
  run.log({ step: 1 });
  await vi.waitFor(() => expect(server.handshakes.length).toBeGreaterThan(2), 30_000);
  expect(warnings).toEqual([
    `${server.url} refuses this client: key: this ingest key is unknown or revoked (it is asked again every 0.02 s)`,
  ]);
  server.admit = () => null;
  await settled(run);
  expect(server.acceptedSteps).toEqual([1]);
});

test('a run that the server refuses for good is given up', async () => {
  await using server = await IngestServer.listen();
  server.answer = () => ({ error: 'this run belongs to another project', field: 'run', retry: false });
  await using recorded = openTestRun(server);
  const { run, warnings } = recorded;
  run.log({ step: 1 });
  await vi.waitFor(() => expect(run.pending).toBe(0), 30_000);
  run.log({ step: 2 });
  expect(await run.finish()).toMatchObject({ delivered: false, pending: 0 });
  expect(server.received.map(({ event }) => event)).toEqual(['run:start']);
  expect(warnings[0]).toContain('run: this run belongs to another project');
});

test('junk is never thrown back at the trainer, and the good steps beside it arrive', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const { log } = recorded.run;
  let step = 0;
  const junk = fc.oneof(fc.anything(), fc.record({ step: fc.double(), loss: fc.anything() }));
  fc.assert(
    fc.property(junk, (value) => {
      log({ step: step++, loss: 1 });
      log({ ...(value as object), step: 0.5 });
    }),
    { numRuns: 1_000 },
  );
  await settled(recorded.run);
  expect(server.acceptedSteps).toEqual(range(0, 1000));
});

test('a warning that throws does not throw at the trainer', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server, {
    onWarning: () => {
      throw new Error('no console');
    },
  });
  expect(() => recorded.run.log({ step: 0.5 })).not.toThrow();
});

test('a full buffer keeps the newest steps, warns, and reports how many were lost', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await using recorded = openTestRun(server, {}, 100);
  const { run, warnings } = recorded;
  for (const step of range(0, 250)) run.log({ step });
  expect(run.pending).toBe(100);
  await server.start();
  expect(await run.finish()).toMatchObject({ delivered: false, pending: 0 });
  expect(server.acceptedSteps).toEqual(range(150, 250));
  expect(warnings.filter((warning) => !warning.includes('cannot be reached'))).toEqual([
    'the buffer is full: steps are dropped',
    'the buffer is full: steps are dropped (10 times so far)',
    'the buffer is full: steps are dropped (100 times so far)',
    'steps of this run that the server never took: 150',
  ]);
});

test('what the server left out is added to what was left out here, and finish returns both', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const { run, warnings } = recorded;
  server.answer = ({ event }) =>
    event === 'steps' ? { ok: true, dropped: [{ field: 'loss', reason: 'not a number', count: 2 }] } : OK;
  const log = run.log as (step: unknown) => void;
  log({ step: 1, loss: '2.5', lr: 1e-3 });
  log({ loss: 2 });
  await settled(run);
  expect(server.accepted).toMatchObject([{ step: 1, lr: 1e-3 }]);
  expect(await run.finish()).toEqual({
    delivered: true,
    pending: 0,
    spool: null,
    dropped: [
      { field: 'loss', reason: 'not a number', count: 3 },
      { field: 'step', reason: 'not a whole number', count: 1 },
    ],
  });
  expect(warnings).toContain('the server left a value out of 2 steps: loss: not a number');
});

test('what the server warns of with its answer is shown, as text that harms no terminal', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const { run, warnings } = recorded;
  server.answer = ({ event }) => (event === 'steps' ? { ok: true, warning: 'stored, but not judged\x1b[2J' } : OK);
  run.log({ step: 1, loss: 2 });
  await settled(run);
  expect(warnings).toContain('the server: stored, but not judged\\x1b[2J');
});

test('a step of 9.5 MiB arrives whole, though a server reads no message of more than 8 MiB', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const custom = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, at) => [`${'é'.repeat(495)}${10_000 + at}`, at]),
  );
  recorded.run.log({ step: 3, loss: 1, custom });
  expect(await recorded.run.finish()).toMatchObject({ delivered: true, pending: 0 });
  const merged = server.accepted.reduce((former, later) => mergeStep(former, later));
  expect(merged).toMatchObject({ step: 3, loss: 1, custom });
});

test('the command stop aborts the signal once, and is acknowledged each time', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const { run } = recorded;
  await vi.waitFor(() => expect(server.received).toHaveLength(1), 30_000);
  let aborted = 0;
  run.signal.addEventListener('abort', () => void aborted++);
  const send = (command: object) => server.sockets[0]?.timeout(60_000).emitWithAck('command', command);

  const stop = { id: randomUUID(), run: run.id, kind: 'stop', reason: 'the loss is NaN' };
  expect(await send({ ...stop, run: randomUUID() })).toMatchObject({ field: 'run', retry: false });
  expect(await send({ ...stop, kind: 'explode' })).toMatchObject({ field: 'kind', retry: false });
  expect(run.signal.aborted).toBe(false);
  expect(await send(stop)).toEqual(OK);
  expect(await send(stop)).toEqual(OK);
  expect(run.signal.reason).toEqual(new Error('the loss is NaN'));
  expect(aborted).toBe(1);
});

test('finish gives up in time where the server is away, and says what is pending', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await using recorded = openTestRun(server);
  recorded.run.log({ step: 1 });
  expect(await recorded.run.finish('finished', undefined, { timeoutMs: 20 })).toMatchObject({
    delivered: false,
    pending: 1,
  });
  expect(recorded.warnings.at(-1)).toBe('the end of this run is not with the server, nor its last steps: 1');
});

test('finish outlives a server that restarts meanwhile', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  await vi.waitFor(() => expect(server.received).toHaveLength(1), 30_000);
  server.answer = ({ event }) => (event === 'run:start' ? OK : null);
  recorded.run.log({ step: 1 });
  const finished = recorded.run.finish();
  await vi.waitFor(() => expect(server.batches.length).toBeGreaterThan(0), 30_000);
  await server.stop();
  server.answer = () => OK;
  await server.start();
  expect(await finished).toEqual({ delivered: true, pending: 0, spool: null, dropped: [] });
  expect(server.received.at(-1)?.event).toBe('run:finish');
});

test('finish asks a server that has refused the client at once, not after the long pause', async () => {
  await using server = await IngestServer.listen();
  server.admit = () => new RefusedError('key', 'unknown');
  await using recorded = openTestRun(server);
  await vi.waitFor(() => expect(recorded.warnings).toHaveLength(1), 30_000);
  server.admit = () => null;
  recorded.run.log({ step: 1 });
  expect(await recorded.run.finish()).toEqual({ delivered: true, pending: 0, spool: null, dropped: [] });
});

test('drained resolves when no more than so many steps are pending, also where none will ever be taken', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const { run } = recorded;
  await run.drained();
  for (const step of range(0, 1000)) run.log({ step });
  await run.drained(500);
  expect(run.pending).toBeLessThanOrEqual(500);
  await run.drained();
  expect([run.pending, server.acceptedSteps]).toEqual([0, range(0, 1000)]);

  server.answer = ({ event }) => (event === 'steps' ? new RefusedError('steps', 'no').toRefusal() : OK);
  run.log({ step: 1000 });
  await run.drained();
  server.answer = () => new RefusedError('project', 'no').toRefusal();
  await using other = openTestRun(server);
  other.run.log({ step: 0 });
  await other.run.drained();
  expect(other.run.pending).toBe(0);
});

test('waiting for drained ends with the signal that it is given, and with the run', async () => {
  await using server = await IngestServer.listen();
  await server.stop();
  await using recorded = openTestRun(server);
  const { run } = recorded;
  run.log({ step: 0 });
  const stop = new AbortController();
  const waiting = run.drained(0, { signal: stop.signal });
  stop.abort(new Error('long enough'));
  await expect(waiting).rejects.toThrow('long enough');
  const drained = run.drained();
  await run.finish('stopped', undefined, { timeoutMs: 10 });
  await drained;
  await run.drained();
  expect(run.pending).toBe(1);
});

test('finish sends the end time that it is given, and the server’s time counts where that is no time', async () => {
  await using server = await IngestServer.listen();
  for (const endedAt of [1_700_000_000_000, Number.NaN]) {
    await using recorded = openTestRun(server);
    expect(await recorded.run.finish('finished', undefined, { endedAt })).toEqual({
      delivered: true,
      pending: 0,
      spool: null,
      dropped: [],
    });
  }
  const ends = server.received.filter(({ event }) => event === 'run:finish').map(({ payload }) => payload);
  expect(ends).toMatchObject([{ endedAt: 1_700_000_000_000 }, { status: 'finished' }]);
  expect(ends[1]).not.toHaveProperty('endedAt');
});

test('finish happens once, whatever it is given', async () => {
  await using server = await IngestServer.listen();
  await using recorded = openTestRun(server);
  const { run, warnings } = recorded;
  const finish = run.finish as (...junk: unknown[]) => ReturnType<typeof run.finish>;
  const first = finish('done', `${'x'.repeat(1_999)}💥 and on`, { timeoutMs: Number.NaN });
  expect(await finish('failed', Symbol('x'), null)).toEqual(await first);
  run.log({ step: 1 });
  expect(run.pending).toBe(0);
  expect(server.received.filter(({ event }) => event === 'run:finish')).toMatchObject([
    { payload: { status: 'finished', reason: `${'x'.repeat(1_999)}\uFFFD` } },
  ]);
  expect(warnings).toEqual([
    'finish() takes finished, stopped, failed; the run counts as finished',
    'steps logged after finish() are dropped',
  ]);
});

test('a hundred waits at a time end with the run, without a warning of too many listeners', async () => {
  await using server = await IngestServer.listen();
  server.answer = ({ event }) => (event === 'steps' ? null : OK);
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on('warning', onWarning);
  try {
    await using recorded = openTestRun(server);
    const { run } = recorded;
    run.log({ step: 1 });
    const { signal } = new AbortController();
    const waits = range(0, 50).flatMap(() => [run.drained(), run.drained(0, { signal })]);
    await run.finish('stopped', undefined, { timeoutMs: 0 });
    await Promise.all(waits);
  } finally {
    process.off('warning', onWarning);
  }
  expect(warnings).toEqual([]);
});
