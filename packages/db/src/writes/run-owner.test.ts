import { randomUUID } from 'node:crypto';
import { MAX_ATTEMPT, MAX_FIRST_ATTEMPT } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { getRun } from '../reads/run.ts';
import { listRuns } from '../reads/run-list.ts';
import { describeDatabases } from '../testing.ts';
import { aRun, begin, later, NOW } from '../testing-data.ts';
import { createApiKey, revokeApiKey } from './api-key.ts';
import { startRun } from './run.ts';

const NOT_OWN = { name: 'RefusedError', field: 'run', retry: false };

describeDatabases('owners of runs', (db) => {
  const aKey = async (name: string) => (await createApiKey(db(), name, NOW)).key.id;

  const keysOf = async (run: string) =>
    (await getRun(db(), run))?.attempts.map(({ keys }) => keys.map(({ name }) => name));

  test('a run belongs to the key that started it, and each attempt names its key', async () => {
    const [own, other] = [await aKey('own'), await aKey('other')];
    const start = aRun();
    expect(await startRun(db(), start, NOW, own)).toEqual({ changedHands: false });
    expect(await startRun(db(), { ...start, attempt: 2 }, NOW, own)).toEqual({ changedHands: false });
    for (const attempt of [1, 2, 3]) {
      await expect(startRun(db(), { ...start, attempt }, NOW, other)).rejects.toMatchObject(NOT_OWN);
      await expect(startRun(db(), { ...start, attempt }, NOW, null)).rejects.toMatchObject(NOT_OWN);
    }
    const key = { id: own, name: 'own' };
    expect(await getRun(db(), start.run)).toMatchObject({ attempts: [{ keys: [key] }, { keys: [key] }] });
  });

  test('a refused start leaves nothing behind', async () => {
    const [own, other] = [await aKey('own'), await aKey('other')];
    const start = aRun({ project: randomUUID() });
    await startRun(db(), start, NOW, own);
    const before = await getRun(db(), start.run);
    const stranger = { ...start, attempt: 2, name: 'mine now', project: randomUUID() };
    await expect(startRun(db(), stranger, later(1), other)).rejects.toMatchObject(NOT_OWN);
    expect(await getRun(db(), start.run)).toEqual(before);
    expect(await listRuns(db(), { limit: 9, project: stranger.project })).toEqual([]);
  });

  test('the run of a revoked key goes to the valid key that goes on with it, and to it alone', async () => {
    const [lost, next, third] = [await aKey('lost'), await aKey('next'), await aKey('third')];
    const start = aRun();
    await startRun(db(), start, NOW, lost);
    await revokeApiKey(db(), lost, NOW);
    await expect(startRun(db(), start, NOW, null)).rejects.toMatchObject(NOT_OWN);
    expect(await startRun(db(), start, NOW, next)).toEqual({ changedHands: true });
    expect(await startRun(db(), start, NOW, next)).toEqual({ changedHands: false });
    await expect(startRun(db(), start, NOW, third)).rejects.toMatchObject(NOT_OWN);
    await expect(startRun(db(), start, NOW, lost)).rejects.toMatchObject(NOT_OWN);
    await startRun(db(), { ...start, attempt: 2 }, NOW, next);
    expect(await keysOf(start.run)).toEqual([['lost', 'next'], ['next']]);
  });

  test('a key that was revoked itself takes no run over', async () => {
    const [lost, revoked] = [await aKey('lost'), await aKey('revoked too')];
    const start = aRun();
    await startRun(db(), start, NOW, lost);
    await revokeApiKey(db(), lost, NOW);
    await revokeApiKey(db(), revoked, NOW);
    await expect(startRun(db(), start, NOW, revoked)).rejects.toMatchObject(NOT_OWN);
  });

  test('of two keys that go on with the run of nobody at once one has it', async () => {
    const keys = [await aKey('one'), await aKey('two')];
    const start = aRun();
    expect(await startRun(db(), start, NOW)).toEqual({ changedHands: false });
    const claims = await Promise.allSettled(keys.map((key) => startRun(db(), start, NOW, key)));
    const claimed = claims.filter(({ status }) => status === 'fulfilled');
    expect(claimed).toEqual([{ status: 'fulfilled', value: { changedHands: true } }]);
    expect(await keysOf(start.run)).toEqual([[expect.stringMatching(/one|two/)]]);
  });

  test('an attempt may exceed the newest by one only, and the refusal says which is next', async () => {
    const run = await begin(db());
    for (const attempt of [3, MAX_ATTEMPT]) {
      await expect(startRun(db(), aRun({ run, attempt }), NOW)).rejects.toMatchObject({
        message: "the run's newest attempt is 1, so the next one is 2",
        field: 'attempt',
        retry: false,
      });
    }
    await startRun(db(), aRun({ run, attempt: 2 }), NOW);
    await startRun(db(), aRun({ run, attempt: 3 }), NOW);
    expect((await getRun(db(), run))?.attempts).toMatchObject([{ number: 1 }, { number: 2 }, { number: 3 }]);
  });

  test('a run whose first attempts never arrived begins with a later one, but not so high that none is left', async () => {
    const start = aRun({ attempt: MAX_FIRST_ATTEMPT + 1 });
    await expect(startRun(db(), start, NOW)).rejects.toMatchObject({ field: 'attempt', retry: false });
    expect(await getRun(db(), start.run)).toBeNull();
    await startRun(db(), { ...start, attempt: MAX_FIRST_ATTEMPT }, NOW);
    await startRun(db(), start, NOW);
  });
});
