import { randomUUID } from 'node:crypto';
import {
  createApiKey,
  type Database,
  findCommand,
  finishRun,
  getRun,
  listAlerts,
  listCommands,
  readHistory,
  recentSteps,
  removeStep,
  revokeApiKey,
  writeRules,
} from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import {
  type Ack,
  ANONYMOUS,
  type Command,
  type EventPort,
  encodeSteps,
  type Principal,
  parse,
  runDescribe,
  runFinish,
  type ServerEvent,
  startRequest,
} from '@evenkeel/protocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Sender } from './context.ts';
import { Ingest } from './ingest.ts';
import { BEGAN, startOf, stepsFrom } from './testing.ts';

/** Carries events as one between processes would: as copies, after whoever published them has gone on. */
class CopyingPort implements EventPort {
  readonly published: ServerEvent[] = [];
  readonly #subscribers = new Set<(event: ServerEvent) => void>();

  publish(event: ServerEvent): void {
    const copy = structuredClone(event);
    this.published.push(copy);
    setImmediate(() => {
      for (const receive of this.#subscribers) receive(structuredClone(copy));
    });
  }

  subscribe(receive: (event: ServerEvent) => void): () => void {
    this.#subscribers.add(receive);
    return () => this.#subscribers.delete(receive);
  }

  /** Kinds of the events so far; forecasts come by a timer. */
  kinds(): string[] {
    return this.published.map(({ kind }) => kind).filter((kind) => kind !== 'forecast stored');
  }
}

// The whole service over a new database: no server, no socket.
let db: Database;
let ingest: Ingest;
const events = new CopyingPort();
const problems: string[] = [];
// New for each test: where one makes a key, senders without one are revoked by the next sweep.
beforeEach(async () => {
  events.published.length = 0;
  db = await openTestDatabase();
  const log = (level: string, message: string, error?: unknown) => {
    if (level === 'error') problems.push(`${message}: ${error}`);
  };
  ingest = new Ingest({ db, now: () => new Date(), log, events });
});
afterEach(async () => {
  await ingest.close();
  await db.close();
  expect(problems).toEqual([]);
});

/** A sender that has started a run. */
async function started(sender: Sender = { principal: ANONYMOUS }, run: string = randomUUID()) {
  const context = ingest.open(sender);
  expect(await context.start(parse(startRequest, startOf(run)))).toMatchObject({ ok: true });
  return { run, context };
}

async function keyOf(name: string) {
  const { key, secret } = await createApiKey(db, name, new Date());
  return { id: key.id, secret, principal: await ingest.authenticate(secret) };
}

const finishOf = (run: string) => parse(runFinish, { run, attempt: 1, status: 'failed', reason: 'it burns' });
const STOP = { action: { kind: 'stop' }, by: 'ada', reason: 'enough' } as const;

/** Answers every command, and keeps what it was sent. */
function trainer(answer: Ack | null = { ok: true }): Sender & { received: Command[] } {
  const received: Command[] = [];
  const deliver = async (command: Command) => {
    received.push(command);
    return answer;
  };
  return { principal: ANONYMOUS, deliver, received };
}

test('steps do not wait behind all emitters that come back together', async () => {
  const context = ingest.open({ principal: ANONYMOUS });
  const run = randomUUID();
  await context.start(parse(startRequest, startOf(run)));
  let started = 0;
  const starts = Array.from({ length: 40 }, async () => {
    await context.start(parse(startRequest, startOf(randomUUID())));
    started++;
  });
  await context.steps(encodeSteps({ run, attempt: 1, steps: stepsFrom(0, 1) }));
  expect(started).toBeLessThan(20);
  await Promise.all(starts);
  context.close();
});

test('a run lives from start to end without any socket', async () => {
  const { run, context } = await started();
  const described = { run, config: { lr: 1 }, tags: ['t'], name: 'better', notes: '# why' };
  await context.describe(parse(runDescribe, described));
  const steps = stepsFrom(0, 40, (step) => (step >= 30 ? Number.NaN : 2));
  expect(await context.steps(encodeSteps({ run, attempt: 1, steps }))).toEqual({ ok: true });
  const asJson = { run, attempt: 1, steps: [{ step: 7, time: BEGAN + 7, custom: { evalLoss: 1 }, lr: 'fast' }] };
  expect(await context.steps(asJson)).toEqual({
    ok: true,
    dropped: [{ field: 'lr', reason: 'not a number', count: 1 }],
  });
  await ingest.settled();
  expect(await listAlerts(db, { run, limit: 9 })).toMatchObject([{ rule: 'non-finite', step: 30 }]);
  await context.finish(finishOf(run));

  const stored = await recentSteps(db, { run, limit: 100 });
  expect(stored).toHaveLength(40);
  expect(stored[7]).toMatchObject({ step: 7, loss: 2, custom: { evalLoss: 1 } });
  const { run: _run, ...rest } = described;
  expect(await getRun(db, run)).toMatchObject({ ...rest, status: 'failed', reason: 'it burns', lastStep: 39 });
  const kinds = events.kinds();
  const opened = kinds.indexOf('alert opened'); // the judge comes after the first commit, at its own pace
  expect(kinds.toSpliced(opened, 1)).toEqual([
    'run started',
    'run described',
    'steps stored',
    'steps stored',
    'run ended',
  ]);
  expect(opened).toBeGreaterThan(kinds.indexOf('steps stored'));
  const batches = events.published.flatMap((event) => (event.kind === 'steps stored' ? [event.batch] : []));
  expect(batches[1]?.steps).toEqual([{ step: 7, time: BEGAN + 7, custom: { evalLoss: 1 } }]);
});

test('a run is judged without a step that a person removes', async () => {
  const { run, context } = await started();
  const steps = stepsFrom(0, 80, (step) => (step === 70 ? 9 : 2));
  await context.steps(encodeSteps({ run, attempt: 1, steps }));
  await ingest.settled();
  expect(await listAlerts(db, { run, limit: 9 })).toMatchObject([{ rule: 'loss-spike', step: 70, status: 'open' }]);
  const removed = { run, attempt: 1, step: 70, removed: true };
  await removeStep(db, { ...removed, by: null }, new Date());
  events.publish({ kind: 'step removed', ...removed });
  await expect.poll(() => listAlerts(db, { run, limit: 9 })).toMatchObject([{ step: 70, status: 'resolved' }]);
});

/** Trains a run that breaks at step 30, and ends. */
async function broken(): Promise<string> {
  const { run, context } = await started();
  await context.steps({ run, attempt: 1, steps: stepsFrom(0, 40, (step) => (step >= 30 ? Number.NaN : 2)) });
  await context.finish(finishOf(run));
  return run;
}

async function outcomes(run: string) {
  await ingest.settled();
  return (await listAlerts(db, { run, limit: 9 })).map(({ outcome, onset }) => [outcome, onset]);
}

test('a run that is over is read to its end: its alerts came true where it diverged, and again without a removed step', async () => {
  const run = await broken();
  await expect.poll(() => outcomes(run)).toEqual([['diverged', 30]]);
  for (let step = 30; step < 40; step++) {
    await removeStep(db, { run, attempt: 1, step, removed: true, by: null }, new Date());
    events.publish({ kind: 'step removed', run, attempt: 1, step, removed: true });
  }
  await expect.poll(() => outcomes(run)).toEqual([['unknown', null]]); // it failed, and nothing shows why
});

test('runs that a former process left unread are read by the next', async () => {
  const { run, context } = await started();
  await context.steps({ run, attempt: 1, steps: stepsFrom(0, 40, (step) => (step >= 30 ? Number.NaN : 2)) });
  await ingest.settled();
  await ingest.close();
  await finishRun(db, finishOf(run), new Date()); // of which that process knows nothing
  ingest = new Ingest({ db, now: () => new Date(), log: () => {}, events });
  await expect.poll(() => outcomes(run)).toEqual([['diverged', 30]]);
});

test('the history of a run says by whose key an attempt was opened and a value was overwritten', async () => {
  const { principal } = await keyOf('cluster');
  const { run, context } = await started({ principal });
  await context.steps(encodeSteps({ run, attempt: 1, steps: stepsFrom(0, 10) }));
  await context.finish(finishOf(run));
  const requeued = ingest.open({ principal });
  await requeued.start(parse(startRequest, { ...startOf(run), startedAt: BEGAN + 50_000 }));
  const steps = stepsFrom(5, 1);
  expect(await requeued.steps(encodeSteps({ run, attempt: 1, steps }))).toEqual({ ok: true, attempt: 2 });
  const other = ingest.open({ principal });
  await other.start(parse(startRequest, { ...startOf(run), startedAt: BEGAN + 50_000 }));
  await other.steps(encodeSteps({ run, attempt: 2, steps }));
  await requeued.steps(encodeSteps({ run, attempt: 2, steps: stepsFrom(5, 1, () => 7) }));
  await ingest.settled();
  expect(await readHistory(db, { run, limit: 9 })).toMatchObject([
    { kind: 'conflict', attempt: 2, step: 5, by: 'cluster' },
    { kind: 'attempt opened', attempt: 2, by: 'cluster' },
  ]);
});

test('a run ends once, however often that is said', async () => {
  const { run, context } = await started();
  await context.finish(finishOf(run));
  await expect(context.finish(finishOf(run))).rejects.toMatchObject({ field: 'run', retry: false });
  await context.start(parse(startRequest, startOf(run)));
  await context.finish(finishOf(run));
  expect(events.kinds()).toEqual(['run started', 'run ended', 'run started']);
});

test('a sender may say nothing of a run that it has not started', async () => {
  const { run } = await started();
  const context = ingest.open({ principal: ANONYMOUS });
  const refused = { field: 'run', retry: false };
  await expect(context.describe(parse(runDescribe, { run, name: 'mine' }))).rejects.toMatchObject(refused);
  const batch = { run, attempt: 1, steps: stepsFrom(0, 1) };
  await expect(context.steps(encodeSteps(batch))).rejects.toMatchObject(refused);
  await expect(context.finish(finishOf(run))).rejects.toMatchObject(refused);
  await expect(context.commands.pending({ run, attempt: 1 })).rejects.toMatchObject(refused);
});

test('what a description changes nothing with is no event, and what is wrong with it is refused by its field', async () => {
  const { run, context } = await started();
  await expect(context.describe(parse(runDescribe, { run, attempt: 2, name: 'early' }))).rejects.toMatchObject({
    field: 'attempt',
  });
  await context.start(parse(startRequest, startOf(run, 2)));
  await context.describe(parse(runDescribe, { run, attempt: 1, name: 'late' }));
  expect(await getRun(db, run)).toMatchObject({ name: 'a run' });
  expect(events.kinds()).toEqual(['run started', 'run started']);
});

test('a command is delivered to who has started the attempt, and its answer and end are events', async () => {
  const sender = trainer();
  const { run, context } = await started(sender);
  const bystander = trainer();
  await started(bystander);
  const given = await ingest.command(ANONYMOUS, { run, ...STOP });
  expect(given).toMatchObject({ status: 'acknowledged', by: 'ada' });
  expect(sender.received).toEqual([{ id: given.id, run, kind: 'stop', by: 'ada', reason: 'enough' }]);
  expect(bystander.received).toEqual([]);
  await context.commands.settle({ run, id: given.id, result: 'kept', error: null });
  expect(await findCommand(db, given)).toMatchObject({ status: 'done', result: 'kept' });
  const kinds = ['command given', 'command acknowledged', 'command settled'];
  expect(events.kinds().filter((kind) => kind.startsWith('command'))).toEqual(kinds);
});

test('a refused command has failed, and one that is put off waits: its giver waits for neither', async () => {
  const { run } = await started(trainer({ error: 'not here', field: 'kind', retry: false }));
  expect(await ingest.command(ANONYMOUS, { run, ...STOP })).toMatchObject({ status: 'failed', error: 'not here' });
  const busy = await started(trainer({ error: 'later', field: '', retry: true }));
  expect(await ingest.command(ANONYMOUS, { run: busy.run, ...STOP })).toMatchObject({ status: 'pending' });
});

test('who cannot be delivered to asks for commands, takes and settles them', async () => {
  const { run, context } = await started();
  const giving = ingest.command(ANONYMOUS, { run, ...STOP });
  const pending = () => context.commands.pending({ run, attempt: 1 });
  await expect.poll(pending).toMatchObject([{ run, kind: 'stop', by: 'ada' }]);
  const [command] = await pending();
  const key = { run, id: command?.id ?? '' };
  await context.commands.acknowledge(key);
  expect(await giving).toMatchObject({ id: key.id, status: 'acknowledged' });
  expect(await pending()).toEqual([]);
  await context.commands.settle({ ...key, result: null, error: 'no disk' });
  expect(await findCommand(db, key)).toMatchObject({ status: 'failed', error: 'no disk' });
  const other = await started();
  await expect(other.context.commands.acknowledge(key)).rejects.toMatchObject({ field: 'run' });
});

test('a policy answers an alert with a command that is delivered', async () => {
  const sender = trainer();
  const run = randomUUID();
  const context = ingest.open(sender);
  await context.start(parse(startRequest, { ...startOf(run), policy: { critical: { kind: 'stop' } } }));
  await context.steps({ run, attempt: 1, steps: stepsFrom(0, 4, () => Number.NaN) });
  await expect.poll(() => sender.received).toMatchObject([{ run, kind: 'stop', by: 'non-finite' }]);
  await ingest.settled();
  expect(await listCommands(db, { run, limit: 9 })).toMatchObject([{ status: 'acknowledged' }]);
});

test('rules that are changed hold for runs that are under way', async () => {
  const { run, context } = await started();
  await context.steps({ run, attempt: 1, steps: stepsFrom(0, 4) });
  await ingest.settled();
  await writeRules(db, 'test', { 'non-finite': { enabled: false } }, new Date());
  events.publish({ kind: 'rules changed', project: 'test' });
  await new Promise((resolve) => setImmediate(resolve)); // it is carried by then
  await ingest.settled();
  await context.steps({ run, attempt: 1, steps: stepsFrom(4, 4, () => Number.NaN) });
  await ingest.settled();
  expect(await listAlerts(db, { run, limit: 9 })).toEqual([]);
  await writeRules(db, 'test', {}, new Date());
});

// Last, since from the first key on every sender needs one.
test('who sends is known by its key: runs are its own, its name is in the history, and revoked it is refused', async () => {
  const before = ingest.open({ principal: ANONYMOUS });
  const [own, other] = [await keyOf('cluster'), await keyOf('laptop')];
  expect(own.principal).toEqual({ kind: 'key', id: own.id, name: 'cluster' } satisfies Principal);
  for (const secret of [undefined, 'ek_guess']) {
    await expect(ingest.authenticate(secret)).rejects.toMatchObject({ field: 'key', retry: false });
  }
  expect(await ingest.authenticateRequest(own.secret)).toEqual(own.principal);
  let revoked = 0;
  const onRevoked = () => {
    revoked++;
  };
  const { run, context } = await started({ ...trainer(), principal: own.principal, onRevoked });
  const foreign = ingest.open({ principal: other.principal });
  await expect(foreign.start(parse(startRequest, startOf(run)))).rejects.toMatchObject({ field: 'run' });
  expect(await ingest.command(own.principal, { run, ...STOP })).toMatchObject({ by: 'cluster' });

  await revokeApiKey(db, own.id, new Date());
  events.publish({ kind: 'keys changed' });
  await expect.poll(() => revoked).toBe(1);
  await expect(ingest.authenticateRequest(own.secret)).rejects.toMatchObject({ field: 'key' });
  const again = { field: 'key', retry: true };
  await expect(context.steps({ run, attempt: 1, steps: stepsFrom(0, 1) })).rejects.toMatchObject(again);
  await expect(context.commands.pending({ run, attempt: 1 })).rejects.toMatchObject(again);
  await expect(before.start(parse(startRequest, startOf(randomUUID())))).rejects.toMatchObject(again);
  expect(await foreign.start(parse(startRequest, startOf(run)))).toMatchObject({ ok: true });
});
