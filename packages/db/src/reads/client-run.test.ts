import { randomUUID } from 'node:crypto';
import { RefusedError } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { describeDatabases } from '../testing.ts';
import { aRun, aStep, begin, later, NOW } from '../testing-data.ts';
import { createApiKey } from '../writes/api-key.ts';
import { createProject } from '../writes/project.ts';
import { startRun } from '../writes/run.ts';
import { createRunSource } from '../writes/run-source.ts';
import { insertSteps } from '../writes/step.ts';
import { latestValues, pageClientRuns } from './client-run.ts';
import { findProject, numberedProjects } from './project.ts';

describeDatabases('what clients of other trackers read', (db) => {
  test('the newest value of each name, of the newest attempt, whatever else is stored', async () => {
    const [run, empty] = [await begin(db()), await begin(db())];
    const first = [
      aStep(0, { loss: 3, lr: 0.5, custom: { 'eval/loss': 4, acc: 0.1 } }),
      aStep(1, { loss: Number.NaN, tokens: 2 ** 40, custom: { acc: Number.NEGATIVE_INFINITY } }),
      aStep(9, { loss: 2, custom: { acc: 0.2, late: 1 } }),
    ];
    await insertSteps(db(), [{ run, attempt: 1, steps: first }], NOW);
    await begin(db(), { run, attempt: 2 });
    await insertSteps(db(), [{ run, attempt: 2, steps: [aStep(5, { loss: Number.NaN, custom: { acc: 0.3 } })] }], NOW);
    const found = await latestValues(db(), [run, empty]);
    const times = (at: number) => aStep(at).time;
    expect(Object.fromEntries(found.get(run)?.fields ?? [])).toMatchObject({
      loss: { value: Number.NaN, step: 5, time: times(5) },
      lr: { value: 0.5, step: 0 },
      tokens: { value: 2 ** 40, step: 1 },
    });
    expect(Object.fromEntries(found.get(run)?.custom ?? [])).toEqual({
      'eval/loss': { value: 4, step: 0, time: times(0) },
      acc: { value: 0.3, step: 5, time: times(5) },
      late: { value: 1, step: 9, time: times(9) },
    });
    expect(found.get(empty)).toEqual({ fields: new Map(), custom: new Map() });
  });

  test('runs page by page, the newest first, of some projects, of one key alone', async () => {
    const project = randomUUID();
    const { key } = await createApiKey(db(), 'own', NOW);
    const started = [1, 2, 3].map((second) => aRun({ project, startedAt: later(second).getTime() }));
    for (const [at, start] of started.entries()) await startRun(db(), start, NOW, at === 1 ? key.id : null);
    const [oldest, own, newest] = started.map(({ run }) => run) as [string, string, string];
    await createRunSource(db(), { run: own, door: 'x', externalId: own, parent: newest, state: { tags: { a: 'b' } } });
    const id = (await findProject(db(), { name: project }))?.id ?? 0;
    const page = await pageClientRuns(db(), { projects: [id], limit: 2 });
    expect(page.rows.map((row) => row.id)).toEqual([newest, own]);
    expect(page.rows[1]).toMatchObject({ parent: newest, state: { tags: { a: 'b' } }, keyId: key.id, project });
    const rest = await pageClientRuns(db(), { projects: [id], limit: 2, cursor: page.nextCursor ?? '' });
    expect([rest.rows.map((row) => row.id), rest.nextCursor]).toEqual([[oldest], null]);
    const ofKey = await pageClientRuns(db(), { projects: [id], key: key.id, limit: 9 });
    expect(ofKey.rows.map((row) => row.id)).toEqual([own]);
    const ofNone = await pageClientRuns(db(), { projects: [id], key: null, archived: false, limit: 9 });
    expect(ofNone.rows.map((row) => row.id)).toEqual([newest, oldest]);
    expect((await numberedProjects(db(), { after: id - 1, key: key.id, limit: 9 })).map(({ name }) => name)).toEqual([
      project,
    ]);
    expect(await numberedProjects(db(), { after: id - 1, key: randomUUID(), limit: 9 })).toEqual([]);
  });

  test('a project can be made before it has runs, once', async () => {
    const name = randomUUID();
    const id = await createProject(db(), name, NOW);
    expect(await findProject(db(), { id })).toEqual({ id, name, createdAt: NOW });
    await expect(createProject(db(), name, NOW)).rejects.toThrow(RefusedError);
    expect(await findProject(db(), { id: 2 ** 31 - 1 })).toBeNull();
  });
});
