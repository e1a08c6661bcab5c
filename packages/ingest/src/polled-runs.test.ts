import { randomUUID } from 'node:crypto';
import {
  changeRunState,
  createApiKey,
  findCommand,
  getRun,
  getRunSource,
  readConsole,
  readFamily,
  readHistory,
  readStoredSteps,
} from '@evenkeel/db';
import { describeDatabases } from '@evenkeel/db/testing';
import { ANONYMOUS, MAX_BATCH_STEPS, type Principal } from '@evenkeel/protocol';
import { expect, onTestFinished, test, vi } from 'vitest';
import { LocalEventPort } from './event-port.ts';
import { Ingest } from './ingest.ts';
import type { NewPolledRun, PolledRow } from './polled-run.ts';
import { PolledRuns } from './polled-runs.ts';
import { BEGAN } from './testing.ts';

const DOOR = 'test';

describeDatabases('runs of clients without a connection', (db) => {
  /** A server, until the test ends or it is closed. */
  function serve({ now = () => new Date(BEGAN), commandsFail }: { now?: () => Date; commandsFail?: string } = {}) {
    const log = (level: string, ...rest: unknown[]) => expect([level, rest]).not.toContain('error');
    const ingest = new Ingest({ db: db(), now, log, events: new LocalEventPort(log) });
    const runs = new PolledRuns({ ingest, db: db(), now, door: DOOR, ...(commandsFail && { commandsFail }) });
    let isClosed = false;
    const close = async () => {
      if (isClosed) return;
      isClosed = true;
      runs.close();
      await ingest.close();
    };
    onTestFinished(close);
    return { ingest, runs, close };
  }

  function aRun(given: Partial<NewPolledRun> = {}): NewPolledRun {
    const run = randomUUID();
    return { run, externalId: `ext-${run}`, project: 'polled', name: 'a run', startedAt: BEGAN, ...given };
  }

  const row = (step: number, custom: Record<string, number>, time: number | null = BEGAN + step): PolledRow => ({
    step,
    time,
    custom,
  });

  async function losses(run: string, attempt: number) {
    const stored: unknown[][] = [];
    for await (const rows of readStoredSteps(db(), { run, attempt, columns: [{ field: 'loss' }] }))
      stored.push(...rows.map(({ step, values }) => [step, values[0]]));
    return stored;
  }

  test('a run is begun, described, and found by what its client calls it', async () => {
    const { runs } = serve();
    const parent = aRun({ name: 'the whole' });
    await runs.begin(ANONYMOUS, parent);
    const given = aRun({ config: { lr: '0.1' }, tags: ['', 'a'], notes: 'why', owner: 'ada', parent: parent.run });
    const polled = await runs.begin(ANONYMOUS, { ...given, state: { kept: 1 } });
    await polled.describe({ name: 'x'.repeat(300), config: { seed: 7 } });
    expect(await getRun(db(), given.run)).toMatchObject({
      name: 'x'.repeat(200),
      config: { lr: '0.1', seed: 7 },
      tags: ['a'],
      notes: 'why',
      owner: 'ada',
      status: 'running',
    });
    expect(await runs.find(given.externalId)).toBe(given.run);
    expect(await runs.find('another')).toBeNull();
    expect((await readFamily(db(), parent.run)).parts.map(({ id }) => id)).toEqual([given.run]);
    expect((await readFamily(db(), given.run)).parent).toMatchObject({ id: parent.run, name: 'the whole' });
    await changeRunState(db(), given.run, (state) => ({ ...state, more: [2] }));
    expect((await getRunSource(db(), given.run))?.state).toEqual({ kept: 1, more: [2] });
  });

  test('values are stored by fields in any order, in as many batches as they need; bad times and steps cost themselves', async () => {
    const { runs } = serve();
    const given = aRun();
    const polled = await runs.begin(ANONYMOUS, given);
    const many = Array.from({ length: MAX_BATCH_STEPS + 2 }, (_, step) => row(step, { 'train/loss': step }));
    await polled.steps(many.toReversed());
    await polled.steps([row(9_000, { 'train/loss': 1 }, 0), row(9_001, { 'train/loss': 2 }, 17e8), row(1.5, { a: 1 })]);
    const stored = await losses(given.run, 1);
    expect(stored).toHaveLength(MAX_BATCH_STEPS + 4);
    expect(stored.slice(-3)).toEqual([
      [MAX_BATCH_STEPS + 1, MAX_BATCH_STEPS + 1],
      [9_000, 1],
      [9_001, 2],
    ]);
    const found = await getRun(db(), given.run);
    expect(found?.attempts).toMatchObject([{ firstStep: 0, lastStep: 9_001 }]);
    expect(found?.dropped).toEqual([{ field: 'step', reason: 'not a whole number', count: 1 }]);
  });

  test('after a restart of the server the run goes on, opened once by requests that come together', async () => {
    const before = serve();
    const given = aRun();
    const polled = await before.runs.begin(ANONYMOUS, given);
    await polled.steps([row(0, { loss: 2 })]);
    await polled.console([{ line: 0, time: BEGAN, stream: 'stdout', text: 'one' }]);
    await polled.leaveOut('artifact', 'artifact not kept');
    await before.close();
    const { runs } = serve();
    const [one, other] = await Promise.all([runs.open(ANONYMOUS, given.run), runs.open(ANONYMOUS, given.run)]);
    expect(one).toBe(other);
    await one.steps([row(1, { loss: 1 })]);
    await one.console([{ line: 0, time: BEGAN, stream: 'stdout', text: 'one again' }]);
    await one.leaveOut('artifact', 'artifact not kept');
    expect(await losses(given.run, 1)).toEqual([
      [0, 2],
      [1, 1],
    ]);
    expect((await readConsole(db(), { run: given.run, limit: 9 })).lines).toMatchObject([{ text: 'one again' }]);
    const found = await getRun(db(), given.run);
    expect(found).toMatchObject({ status: 'running', attempts: [{ number: 1 }] });
    expect(found?.dropped).toEqual([{ field: 'artifact', reason: 'artifact not kept', count: 2 }]);
  });

  test('what comes after the end is stored with the attempt that ended, also after a restart', async () => {
    const before = serve();
    const given = aRun();
    const polled = await before.runs.begin(ANONYMOUS, given);
    await polled.steps([row(0, { loss: 3 })]);
    await Promise.all([
      polled.finish({ status: 'failed', reason: 'it broke', endedAt: BEGAN + 5 }),
      polled.finish({ status: 'finished', reason: null }),
      polled.steps([row(1, { loss: 2 })]),
    ]);
    await polled.steps([row(2, { loss: 1 }, BEGAN + 100_000)]);
    await before.close();
    await (await serve().runs.open(ANONYMOUS, given.run)).steps([row(3, { loss: 0 }, BEGAN + 200_000)]);
    expect(await losses(given.run, 1)).toEqual([
      [0, 3],
      [1, 2],
      [2, 1],
      [3, 0],
    ]);
    expect(await getRun(db(), given.run)).toMatchObject({
      status: 'failed',
      reason: 'it broke',
      endedAt: new Date(BEGAN + 5),
      attempts: [{ number: 1 }],
    });
    expect((await readHistory(db(), { run: given.run, limit: 9 })).map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['steps not acted on']),
    );
  });

  test('a resume begins the next attempt of a run that has ended, described as it was', async () => {
    const { runs } = serve();
    const given = aRun({ config: { a: 1 }, notes: 'why' });
    const polled = await runs.begin(ANONYMOUS, given);
    await polled.resume(); // it has not ended
    await polled.steps([row(0, { loss: 2 })]);
    await polled.finish({ status: 'finished', reason: null });
    await Promise.all([polled.resume(), polled.resume()]);
    await polled.steps([row(1, { loss: 1 })]);
    expect(await losses(given.run, 2)).toEqual([[1, 1]]);
    const attempts = [{ status: 'finished' }, { status: null, number: 2 }];
    expect(await getRun(db(), given.run)).toMatchObject({
      status: 'running',
      config: { a: 1 },
      notes: 'why',
      attempts,
    });
    await polled.finish({ status: 'stopped', reason: null });
    expect(await getRun(db(), given.run)).toMatchObject({ status: 'stopped' });
  });

  test('keys of a configuration that have no room are left out and counted, the others are kept', async () => {
    const { runs } = serve();
    const given = aRun();
    const polled = await runs.begin(ANONYMOUS, given);
    await polled.describe({ config: { a: 'x'.repeat(40_000), b: 'y'.repeat(40_000), c: '\0', d: '1' } });
    const found = await getRun(db(), given.run);
    expect(Object.keys(found?.config ?? {})).toEqual(['a', 'd']);
    expect(found?.dropped.map(({ field }) => field).toSorted()).toEqual(['config.b', 'config.c']);
  });

  test('commands wait until they are asked for, or fail at once where no client can carry them out', async () => {
    const { ingest, runs } = serve();
    const given = aRun();
    const polled = await runs.begin(ANONYMOUS, given);
    const command = (to: Ingest, run: string) =>
      to.command(ANONYMOUS, { run, by: 'ada', reason: 'enough', action: { kind: 'stop' } });
    const waiting = command(ingest, given.run);
    await expect.poll(() => polled.pendingCommands()).toMatchObject([{ kind: 'stop', reason: 'enough' }]);
    const [pending] = await polled.pendingCommands();
    await polled.acknowledge(String(pending?.id));
    expect(await waiting).toMatchObject({ status: 'acknowledged' });
    await polled.settle({ id: String(pending?.id), result: 'done so', error: null });
    expect(await findCommand(db(), { run: given.run, id: String(pending?.id) })).toMatchObject({ result: 'done so' });

    const deaf = serve({ commandsFail: 'nobody asks' });
    const deafRun = aRun();
    await deaf.runs.begin(ANONYMOUS, deafRun);
    expect(await command(deaf.ingest, deafRun.run)).toMatchObject({ status: 'failed', error: 'nobody asks' });
  });

  test('a run without requests for a quarter of an hour counts as connected no longer', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    let now = BEGAN;
    const { ingest, runs } = serve({ now: () => new Date(now) });
    const given = aRun();
    await runs.begin(ANONYMOUS, given);
    const statusAfter = async (minutes: number) => {
      for (let tick = 0; tick < minutes * 6; tick++) {
        now += 10_000;
        vi.advanceTimersByTime(10_000);
        await ingest.settled();
      }
      return (await getRun(db(), given.run))?.status;
    };
    expect(await statusAfter(14)).toBe('running');
    await runs.open(ANONYMOUS, given.run);
    expect(await statusAfter(14)).toBe('running');
    expect(await statusAfter(4)).toBe('lost');
    await (await runs.open(ANONYMOUS, given.run)).steps([row(0, { loss: 1 })]);
    expect(await getRun(db(), given.run)).toMatchObject({ status: 'running', attempts: [{ number: 1 }] });
  });

  // The last, since from then on a key is needed.
  test('only the key that owns a run may go on with it, and only by the door that it came by', async () => {
    const keyOf = async (name: string): Promise<Principal> => ({
      kind: 'key',
      id: (await createApiKey(db(), name, new Date(BEGAN))).key.id,
      name,
    });
    const [own, other] = [await keyOf('own'), await keyOf('other')];
    const { ingest, runs } = serve();
    const given = aRun();
    await runs.begin(own, given);
    await expect(runs.open(other, given.run)).rejects.toMatchObject({ field: 'run', retry: false });
    expect((await runs.open(own, given.run)).id).toBe(given.run);
    const elsewhere = new PolledRuns({ ingest, db: db(), now: () => new Date(BEGAN), door: 'another' });
    onTestFinished(() => elsewhere.close());
    await expect(elsewhere.open(own, given.run)).rejects.toMatchObject({ field: 'run' });
    await expect(runs.open(own, randomUUID())).rejects.toMatchObject({ field: 'run' });
  });
});
