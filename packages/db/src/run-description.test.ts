import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { getRun, startRun } from './run.ts';
import { describeRun } from './run-description.ts';
import { listRuns } from './run-list.ts';
import { describeDatabases } from './testing.ts';
import { aRun, begin, later } from './testing-data.ts';

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

  test('a later attempt leaves alone what a person wrote, and tells the rest anew', async () => {
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
