import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { listAlerts } from '../reads/alert-list.ts';
import { listProjects, readRules, rulesOfRun } from '../reads/project.ts';
import { describeDatabases } from '../testing.ts';
import { aFinding, begin, later, NOW } from '../testing-data.ts';
import { raiseAlert } from './alert.ts';
import { writeRules } from './project.ts';

describeDatabases('projects', (db) => {
  test('the rule settings of a project hold for its runs, and for no others', async () => {
    const run = await begin(db(), { project: 'tuned' });
    const other = await begin(db(), { project: 'plain' });
    expect(await readRules(db(), 'tuned')).toEqual({});
    const rules = { 'tev-growth': { criticalMargin: 0.9 } };
    await writeRules(db(), 'tuned', rules, NOW);
    expect(await readRules(db(), 'tuned')).toEqual(rules);
    expect(await rulesOfRun(db(), run)).toEqual({ project: 'tuned', rules });
    expect(await rulesOfRun(db(), other)).toEqual({ project: 'plain', rules: {} });
    expect(await listProjects(db())).toEqual(expect.arrayContaining(['plain', 'tuned']));
  });

  test('settings that an earlier version stored and this one lacks say nothing', async () => {
    const run = await begin(db(), { project: 'old' });
    const stored = { 'tev-growth': { critical: 0.9, surgeWarning: 0.3, enabled: false }, 'rule-that-was': {} };
    await db().sql.execute(sql`update project set rules = ${JSON.stringify(stored)}::jsonb where name = 'old'`);
    const rules = { 'tev-growth': { enabled: false } };
    expect(await readRules(db(), 'old')).toEqual(rules);
    expect(await rulesOfRun(db(), run)).toEqual({ project: 'old', rules });
  });

  test('an unknown project is refused', async () => {
    const refusal = { name: 'RefusedError', field: 'project' };
    await expect(readRules(db(), 'nobody')).rejects.toMatchObject(refusal);
    await expect(writeRules(db(), 'nobody', {}, NOW)).rejects.toMatchObject(refusal);
  });

  test('the alerts of a rule that is switched off resolve, in its project alone', async () => {
    const run = await begin(db(), { project: 'quiet' });
    const other = await begin(db(), { project: 'loud' });
    for (const id of [run, other]) await raiseAlert(db(), id, aFinding(), NOW);
    await raiseAlert(db(), run, aFinding({ rule: 'loss-spike' }), NOW);
    await writeRules(db(), 'quiet', { 'tev-growth': { enabled: false } }, later(1));
    const unresolved = async (id: string) =>
      (await listAlerts(db(), { run: id, status: ['open'], limit: 9 })).map(({ rule }) => rule);
    expect(await unresolved(run)).toEqual(['loss-spike']);
    expect(await unresolved(other)).toEqual(['tev-growth']);
  });
});
