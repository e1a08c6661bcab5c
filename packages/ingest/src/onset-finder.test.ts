import { randomUUID } from 'node:crypto';
import { type Database, finishRun, insertSteps, listAlerts, raiseAlert, removeStep, startRun } from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import { parse, runFinish, runStart } from '@evenkeel/protocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OnsetFinder } from './onset-finder.ts';
import { startOf, stepsFrom } from './testing.ts';

let db: Database;
beforeEach(async () => {
  db = await openTestDatabase();
});
afterEach(() => db.close());

/** A run with an alert that is over, of forty steps of which one is NaN. */
async function brokenAt(broken: number): Promise<string> {
  const run = randomUUID();
  await startRun(db, parse(runStart, startOf(run)), new Date());
  const steps = stepsFrom(0, 40, (step) => (step === broken ? Number.NaN : 2));
  await insertSteps(db, [{ run, attempt: 1, steps }], new Date());
  const alert = { rule: 'non-finite', severity: 'critical', attempt: 1, step: broken, message: 'NaN' } as const;
  const details = { evidence: {}, risk: null, divergenceStep: null };
  await raiseAlert(db, run, { ...alert, ...details, window: [broken, broken] }, new Date());
  await finishRun(db, parse(runFinish, { run, attempt: 1, status: 'finished', reason: null }), new Date());
  return run;
}

/** The database, with something that happens to it once a run was read, before what was found is stored. */
function beforeStoring(happens: () => Promise<unknown>): Database {
  let hasHappened = false;
  const transaction: Database['sql']['transaction'] = async (body, config) => {
    if (!hasHappened) {
      hasHappened = true;
      await happens();
    }
    return db.sql.transaction(body, config);
  };
  const sql: Database['sql'] = Object.assign(Object.create(db.sql), { transaction });
  return Object.defineProperty(Object.create(db), 'sql', { value: sql });
}

test('a run of which a step is removed while it is read is read again', async () => {
  const run = await brokenAt(30);
  const removed = { run, attempt: 1, step: 30, removed: true, by: null };
  const finder = new OnsetFinder({
    db: beforeStoring(() => removeStep(db, removed, new Date())),
    log: (...line) => expect.fail(line.join(' ')),
    judged: async () => {},
  });
  finder.add(run);
  await finder.idle();
  await finder.idle();
  expect(await listAlerts(db, { run, limit: 9 })).toMatchObject([{ outcome: 'healthy', onset: null }]);
});

test('a run that fails again and again is tried ever more seldom, and at once when it has other steps', async () => {
  const run = await brokenAt(30);
  let round = 0;
  const tries: number[] = [];
  const problems: string[] = [];
  const judged = async () => {
    tries.push(round);
    throw new Error('it cannot be read');
  };
  const finder = new OnsetFinder({ db, log: (_, message) => problems.push(message), judged });
  finder.add(run);
  for (round = 1; round <= 40; round++) await finder.idle();
  expect(tries).toEqual([1, 3, 7, 15, 31]);
  expect(problems).toHaveLength(tries.length);
  finder.add(run);
  await finder.idle();
  expect(tries.at(-1)).toBe(round);
});
