import { expect, test } from 'vitest';
import { describeDatabases } from '../testing.ts';
import { aStep, begin, NOW } from '../testing-data.ts';
import { claimRunNames, writeProjectNames } from '../writes/run-names.ts';
import { insertSteps } from '../writes/step.ts';
import { findReportedNames, readProjectNames } from './project-names.ts';

describeDatabases('names of a project', (db) => {
  const aRun = async (project: string, { claimed, custom }: { claimed: string[]; custom: string[] }) => {
    const run = await begin(db(), { project });
    await claimRunNames(db(), run, claimed);
    const scalars = Object.fromEntries(custom.map((name) => [name, 1]));
    await insertSteps(db(), [{ run, attempt: 1, steps: [aStep(0, { custom: scalars })] }], NOW);
  };

  test('are listed with what they became in its runs, those that became fields first', async () => {
    await aRun('named', { claimed: ['train/loss', 'eval/loss'], custom: ['acc', 'evalLoss', '100 %'] });
    await aRun('named', { claimed: ['lm loss'], custom: ['acc', 'train/loss'] });
    await aRun('other', { claimed: ['loss'], custom: ['elsewhere'] });
    expect(await findReportedNames(db(), { project: 'named', limit: 9 })).toEqual({
      names: [
        { name: 'eval/loss', fields: { evalLoss: 1 }, custom: 0 },
        { name: 'lm loss', fields: { loss: 1 }, custom: 0 },
        { name: 'train/loss', fields: { loss: 1 }, custom: 1 },
        { name: '100 %', fields: {}, custom: 1 },
        { name: 'acc', fields: {}, custom: 2 },
      ],
      total: 5,
    });
    expect(await findReportedNames(db(), { project: 'named', search: 'LOSS', limit: 1 })).toEqual({
      names: [{ name: 'eval/loss', fields: { evalLoss: 1 }, custom: 0 }],
      total: 3,
    });
    expect((await findReportedNames(db(), { project: 'named', search: '%', limit: 9 })).total).toBe(1);
    expect(await findReportedNames(db(), { project: 'nobody', limit: 9 })).toEqual({ names: [], total: 0 });
  });

  test('what a person sets is kept, and an unknown project is refused', async () => {
    await begin(db(), { project: 'set' });
    expect(await readProjectNames(db(), 'set')).toEqual({});
    await writeProjectNames(db(), 'set', { x: 'loss', loss: null });
    expect(await readProjectNames(db(), 'set')).toEqual({ x: 'loss', loss: null });
    await expect(readProjectNames(db(), 'nobody')).rejects.toMatchObject({ name: 'RefusedError', field: 'project' });
  });
});
