import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { getRun } from '../reads/run.ts';
import { listRuns } from '../reads/run-list.ts';
import { describeDatabases } from '../testing.ts';
import { aRun, begin, later } from '../testing-data.ts';
import { startRun } from './run.ts';
import { describeRun, describeUnderWay } from './run-description.ts';

describeDatabases('descriptions of runs', (db) => {
  test('what a person writes is there, with who and when', async () => {
    const run = await begin(db(), { notes: 'first', tags: ['a', 'b'] });
    await describeRun(db(), { run, notes: '# *better*', by: 'ada' }, later(5));
    expect(await getRun(db(), run)).toMatchObject({
      ...{ notes: '# *better*', notesEditedAt: later(5), editedBy: 'ada' },
      ...{ tags: ['a', 'b'], tagsEditedAt: null },
    });
    await describeRun(db(), { run, tags: ['c'], by: null }, later(6));
    expect(await getRun(db(), run)).toMatchObject({
      ...{ notes: '# *better*', notesEditedAt: later(5), editedBy: null },
      ...{ tags: ['c'], tagsEditedAt: later(6) },
    });
    expect((await listRuns(db(), { tag: 'c', limit: 10 })).map(({ id }) => id)).toEqual([run]);
  });

  test('a later attempt leaves alone what a person wrote, and replaces the rest', async () => {
    const start = aRun({ notes: 'first', tags: ['a'], config: { lr: 1 } });
    await startRun(db(), start, later(0));
    await describeRun(db(), { run: start.run, notes: '', by: 'ada' }, later(5));
    const second = { ...start, attempt: 2, notes: 'second', tags: ['b'], config: { lr: 2 } };
    await startRun(db(), second, later(10));
    expect(await getRun(db(), start.run)).toMatchObject({ notes: '', tags: ['b'], config: { lr: 2 } });
    await describeRun(db(), { run: start.run, tags: [], by: 'ada' }, later(15));
    await startRun(db(), { ...second, attempt: 3 }, later(20));
    expect(await getRun(db(), start.run)).toMatchObject({ notes: '', tags: [], notesEditedAt: later(5) });
  });

  test('an unknown run is refused', async () => {
    const nobody = { run: randomUUID(), notes: 'n', by: null };
    await expect(describeRun(db(), nobody, later(0))).rejects.toMatchObject({ field: 'run' });
  });
});

describeDatabases('descriptions of runs that are under way', (db) => {
  test('given keys of the configuration replace those of their name, and the others stay', async () => {
    const run = await begin(db(), { config: { lr: 1, model: { dim: 8, heads: 2 } }, tags: ['a'], notes: 'first' });
    expect(await describeUnderWay(db(), { run, config: { model: { dim: 16 }, seed: 7 } })).toBe(true);
    expect(await getRun(db(), run)).toMatchObject({
      config: { lr: 1, model: { dim: 16 }, seed: 7 },
      tags: ['a'],
      notes: 'first',
      name: 'even',
    });
    expect((await getRun(db(), run))?.config.model).toEqual({ dim: 16 });
    await describeUnderWay(db(), { run, attempt: 1, name: 'odd', tags: [], notes: 'second' });
    expect(await getRun(db(), run)).toMatchObject({ name: 'odd', tags: [], notes: 'second', config: { lr: 1 } });
  });

  test('two that describe a run at once both count', async () => {
    const run = await begin(db());
    const keys = Array.from({ length: 8 }, (_, at) => `k${at}`);
    await Promise.all(keys.map((key) => describeUnderWay(db(), { run, config: { [key]: 1 } })));
    expect(Object.keys((await getRun(db(), run))?.config ?? {}).sort()).toEqual(keys);
  });

  test('what a person wrote stays', async () => {
    const run = await begin(db(), { notes: 'first', tags: ['a'] });
    await describeRun(db(), { run, notes: 'by hand', by: 'ada' }, later(1));
    expect(await describeUnderWay(db(), { run, notes: 'second' })).toBe(false);
    expect(await describeUnderWay(db(), { run, notes: 'second', tags: ['b'] })).toBe(true);
    expect(await getRun(db(), run)).toMatchObject({ notes: 'by hand', tags: ['b'], editedBy: 'ada' });
  });

  test('a superseded attempt says nothing about the run; an unknown one, or run, or too much is refused', async () => {
    const start = aRun({ config: { a: 'x'.repeat(40_000) } });
    const { run } = start;
    await startRun(db(), start, later(0));
    await startRun(db(), { ...start, attempt: 2 }, later(1));
    expect(await describeUnderWay(db(), { run, attempt: 1, name: 'ghost' })).toBe(false);
    expect(await describeUnderWay(db(), { run, attempt: 2, name: 'odd' })).toBe(true);
    expect(await getRun(db(), run)).toMatchObject({ name: 'odd' });
    const refused = (field: string) => ({ name: 'RefusedError', field });
    const describe = (over: object) => describeUnderWay(db(), { run, notes: 'n', ...over });
    await expect(describe({ attempt: 3 })).rejects.toMatchObject(refused('attempt'));
    await expect(describe({ run: randomUUID() })).rejects.toMatchObject(refused('run'));
    await expect(describe({ config: { b: 'x'.repeat(40_000) } })).rejects.toMatchObject(refused('config'));
    expect(await getRun(db(), run)).toMatchObject({ notes: '', config: start.config });
  });
});
