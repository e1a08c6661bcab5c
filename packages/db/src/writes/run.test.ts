import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { recentSteps } from '../reads/recent-steps.ts';
import { getRun } from '../reads/run.ts';
import { listRuns } from '../reads/run-list.ts';
import { describeDatabases } from '../testing.ts';
import { aRun, aStep, begin, later, NOW } from '../testing-data.ts';
import { markLostRuns, touchRuns } from './lost-run.ts';
import { finishRun, startRun } from './run.ts';
import { insertSteps } from './step.ts';

describeDatabases('runs', (db) => {
  test('a new run is what it was started with', async () => {
    const start = aRun({ config: { lr: 1e-3, deep: { a: [1, null] } }, owner: 'ann', tags: ['a,b', '"'], notes: 'n' });
    await startRun(db(), { ...start, layers: ['h0', 'h1'] }, later(1));
    expect(await getRun(db(), start.run)).toEqual({
      id: start.run,
      project: 'keel',
      name: 'even',
      status: 'running',
      reason: null,
      owner: 'ann',
      tags: ['a,b', '"'],
      startedAt: NOW,
      endedAt: null,
      lastSeenAt: later(1),
      lastStep: null,
      loss: null,
      tevMean: null,
      risk: null,
      divergenceStep: null,
      divergenceInterval: null,
      archivedAt: null,
      droppedValues: 0,
      openAlerts: [],
      config: { lr: 1e-3, deep: { a: [1, null] } },
      notes: 'n',
      ...{ notesEditedAt: null, tagsEditedAt: null, editedBy: null },
      layers: ['h0', 'h1'],
      names: {},
      dropped: [],
      attempts: [
        {
          ...{ number: 1, status: null, policy: start.policy },
          ...{ startedAt: NOW, endedAt: null, firstStep: null, lastStep: null, keys: [] },
          ...{ outliers: [], removed: [], startedAs: null, conflicts: 0 },
        },
      ],
    });
    expect(await getRun(db(), randomUUID())).toBeNull();
  });

  test('the same attempt again changes nothing', async () => {
    const start = aRun();
    await startRun(db(), start, NOW);
    await startRun(db(), { ...start, name: 'other' }, later(1));
    const again = await getRun(db(), start.run);
    expect(again).toMatchObject({ name: 'even', status: 'running' });
    expect(again?.attempts).toHaveLength(1);
  });

  test('an ended run stays ended when the same attempt starts again, until the next attempt', async () => {
    const start = aRun();
    await startRun(db(), start, NOW);
    await finishRun(db(), { run: start.run, attempt: 1, status: 'failed', reason: 'out of memory' }, later(1));
    await startRun(db(), start, later(2));
    const ended = { status: 'failed', reason: 'out of memory', endedAt: later(1) };
    expect(await getRun(db(), start.run)).toMatchObject(ended);
    await startRun(db(), { ...start, attempt: 2, name: 'odd', tags: ['x'] }, later(3));
    const resumed = { status: 'running', reason: null, endedAt: null, name: 'odd', tags: ['x'], startedAt: NOW };
    expect(await getRun(db(), start.run)).toMatchObject(resumed);
    expect((await getRun(db(), start.run))?.attempts).toMatchObject([{ status: 'failed' }, { status: null }]);
  });

  test('a lower attempt that comes late leaves the run as it is', async () => {
    const start = aRun({ attempt: 3 });
    await startRun(db(), start, NOW);
    await startRun(db(), { ...start, attempt: 2, name: 'old', layers: ['h0'] }, later(1));
    await finishRun(db(), { run: start.run, attempt: 2, status: 'failed', reason: null }, later(2));
    const found = await getRun(db(), start.run);
    expect(found).toMatchObject({ name: 'even', status: 'running', endedAt: null, layers: [] });
    expect(found?.attempts).toMatchObject([{ number: 2, status: 'failed', endedAt: later(2) }, { number: 3 }]);
  });

  test('a run keeps its project and its number of layers', async () => {
    const start = aRun({ layers: ['h0', 'h1'] });
    await startRun(db(), start, NOW);
    const elsewhere = startRun(db(), { ...start, attempt: 2, project: 'elsewhere' }, NOW);
    await expect(elsewhere).rejects.toMatchObject({ name: 'RefusedError', field: 'project', retry: false });
    const deeper = startRun(db(), { ...start, attempt: 2, layers: ['h0'] }, NOW);
    await expect(deeper).rejects.toMatchObject({ name: 'RefusedError', field: 'layers' });
    expect((await getRun(db(), start.run))?.attempts).toHaveLength(1);
    expect(await listRuns(db(), { limit: 1, project: 'elsewhere' })).toEqual([]);
  });

  test('a run that named no layers may name them at its next attempt', async () => {
    const start = aRun();
    await startRun(db(), start, NOW);
    await startRun(db(), { ...start, attempt: 2, layers: ['h0'] }, NOW);
    expect(await getRun(db(), start.run)).toMatchObject({ layers: ['h0'] });
  });

  test('many starts of one new run and project at once make one', async () => {
    const start = aRun({ project: `new ${randomUUID()}` });
    const starts = Array.from({ length: 8 }, () => startRun(db(), start, NOW));
    await Promise.all([...starts, startRun(db(), { ...start, run: randomUUID() }, NOW)]);
    expect(await listRuns(db(), { limit: 9, project: start.project })).toHaveLength(2);
  });

  test('of several finishes of an attempt the first counts, and one is refused where there is nothing to finish', async () => {
    const run = await begin(db());
    const finish = { run, attempt: 1, status: 'stopped', reason: 'by hand' } as const;
    await finishRun(db(), finish, later(1));
    await finishRun(db(), finish, later(2));
    await finishRun(db(), { ...finish, status: 'failed', reason: 'too late' }, later(3));
    const ended = { status: 'stopped', reason: 'by hand', endedAt: later(1) };
    expect(await getRun(db(), run)).toMatchObject({ ...ended, attempts: [{ status: 'stopped', endedAt: later(1) }] });
    await expect(finishRun(db(), { ...finish, attempt: 2 }, NOW)).rejects.toMatchObject({ field: 'attempt' });
    await expect(finishRun(db(), { ...finish, run: randomUUID() }, NOW)).rejects.toMatchObject({ field: 'run' });
  });

  test('an end that was long ago is stored with its time', async () => {
    const run = await begin(db());
    const endedAt = later(60);
    await finishRun(
      db(),
      { run, attempt: 1, status: 'finished', reason: null, endedAt: endedAt.getTime() },
      later(900),
    );
    expect(await getRun(db(), run)).toMatchObject({ endedAt, lastSeenAt: later(900), attempts: [{ endedAt }] });
  });

  test('a run that is sent again from its start to its end stays what it was', async () => {
    const run = randomUUID();
    const send = async (now: Date) => {
      for (const [attempt, first] of [
        [1, 0],
        [2, 60],
      ] as const) {
        await startRun(db(), aRun({ run, attempt, name: `life ${attempt}` }), now);
        for (const from of [first, first + 50]) {
          const steps = Array.from({ length: 50 }, (_, at) => aStep(from + at, { loss: 1 / (from + at + 1) }));
          expect(await insertSteps(db(), [{ run, attempt, steps }], now)).toEqual([[]]);
        }
        await finishRun(db(), { run, attempt, status: attempt === 1 ? 'stopped' : 'failed', reason: 'why' }, now);
      }
      return getRun(db(), run);
    };
    const first = await send(later(1));
    expect(first).toMatchObject({ name: 'life 2', status: 'failed', lastStep: 159, endedAt: later(1) });
    expect(await send(later(2))).toEqual({ ...first, lastSeenAt: later(2) });
    expect(await recentSteps(db(), { run, limit: 1_000 })).toHaveLength(160);
  });

  test('a silent run is lost, unless something of it was received, and found by its next start or step', async () => {
    const silent = aRun();
    await startRun(db(), silent, later(-200));
    const touched = aRun();
    await startRun(db(), touched, later(-200));
    const stepping = await begin(db());
    await touchRuns(db(), [touched.run], later(-100));
    await touchRuns(db(), [touched.run], later(-150));
    expect(await getRun(db(), touched.run)).toMatchObject({ lastSeenAt: later(-100), status: 'running' });
    const silence = { silentSince: later(-100) };
    expect(await markLostRuns(db(), silence, NOW)).toEqual([silent.run]);
    expect(await markLostRuns(db(), silence, NOW)).toEqual([]);
    expect(await getRun(db(), silent.run)).toMatchObject({ status: 'lost', endedAt: NOW });
    await startRun(db(), silent, later(1));
    expect(await getRun(db(), silent.run)).toMatchObject({ status: 'running', endedAt: null });
    const lost = await markLostRuns(db(), { silentSince: later(10) }, later(10));
    expect(lost).toEqual(expect.arrayContaining([silent.run, touched.run, stepping]));
    await insertSteps(db(), [{ run: stepping, attempt: 1, steps: [aStep(1)] }], later(11));
    expect(await getRun(db(), stepping)).toMatchObject({ status: 'running', endedAt: null, lastSeenAt: later(11) });
  });

  test('only a running run is kept alive by its connection alone', async () => {
    const [lost, ended, running] = [await begin(db()), await begin(db()), await begin(db())];
    await finishRun(db(), { run: ended, attempt: 1, status: 'finished', reason: null }, later(1));
    await touchRuns(db(), [running], later(50));
    expect(await markLostRuns(db(), { silentSince: later(50) }, later(50))).toContain(lost);
    await touchRuns(db(), [lost, ended, running, randomUUID()], later(99));
    await touchRuns(db(), [], later(100));
    expect(await getRun(db(), lost)).toMatchObject({ status: 'lost', lastSeenAt: NOW });
    expect(await getRun(db(), ended)).toMatchObject({ status: 'finished', lastSeenAt: later(1) });
    expect(await getRun(db(), running)).toMatchObject({ status: 'running', lastSeenAt: later(99) });
  });
});
