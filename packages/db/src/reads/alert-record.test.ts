import { randomUUID } from 'node:crypto';
import type { Alert, EndStatus } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { describeDatabases } from '../testing.ts';
import { aFinding, aRun, aStep, begin, later, NOW } from '../testing-data.ts';
import { markAlerts, type NewAlert, raiseAlert, resolveStaleAlerts } from '../writes/alert.ts';
import { acknowledgeCommand, giveCommand, settleCommand } from '../writes/command.ts';
import { markLostRuns } from '../writes/lost-run.ts';
import { saveOnsets } from '../writes/onset.ts';
import { removeStep } from '../writes/outlier.ts';
import { finishRun, startRun } from '../writes/run.ts';
import { archiveRun } from '../writes/run-removal.ts';
import { insertSteps } from '../writes/step.ts';
import { getAlert, listAlerts } from './alert-list.ts';
import { readAlertRecord } from './alert-record.ts';
import { runsWithoutOnset } from './onset.ts';

describeDatabases('what became of alerts', (db) => {
  /** A run of the project with a hundred steps and an alert at step 70. */
  const train = async (project: string, finding: Partial<NewAlert> = {}): Promise<Alert> => {
    const run = await begin(db(), { project });
    await log(run, 1, 0, 100);
    return open(run, finding);
  };
  const log = (run: string, attempt: number, first: number, count: number) => {
    const steps = Array.from({ length: count }, (_, at) => aStep(first + at, { loss: 2 }));
    return insertSteps(db(), [{ run, attempt, steps }], NOW);
  };
  const open = async (run: string, finding: Partial<NewAlert> = {}): Promise<Alert> => {
    const raised = await raiseAlert(db(), run, aFinding(finding), NOW);
    if (!raised) throw new Error('no alert was opened');
    return raised.alert;
  };
  const end = (run: string, status: EndStatus = 'finished', attempt = 1) =>
    finishRun(db(), { run, attempt, status, reason: null }, later(9));
  /** A run of one attempt was read to its end. */
  const read = (run: string, onset: number | null, removed: number[] = []) =>
    saveOnsets(db(), run, [{ attempt: 1, onset, lastStep: 99, removed }]);
  const outcomeOf = async (alert: Alert) => {
    const found = await getAlert(db(), alert);
    return [found?.outcome, found?.onset];
  };
  const isLate = async (alert: Alert) => (await getAlert(db(), alert))?.late;
  const aProject = () => `record ${randomUUID()}`;

  test('an alert came true where its run diverged, and is a false alarm where that finished without', async () => {
    const [diverged, healthy] = [await train(aProject()), await train(aProject())];
    for (const { run } of [diverged, healthy]) await end(run);
    expect(await outcomeOf(diverged)).toEqual(['running', null]); // was not read to its end yet
    await read(diverged.run, 90);
    await read(healthy.run, null);
    expect(await outcomeOf(diverged)).toEqual(['diverged', 90]);
    expect(await outcomeOf(healthy)).toEqual(['healthy', null]);
  });

  test('an alert is late where its attempt had diverged at its step, not where a later attempt did at an earlier one', async () => {
    const project = aProject();
    const alert = await train(project, { step: 70 });
    const { run } = alert;
    await end(run, 'failed');
    for (const [onset, late] of [
      [null, false],
      [69, true],
      [70, true],
      [71, false],
    ] as const) {
      await read(run, onset);
      expect(await isLate(alert)).toBe(late);
    }
    await startRun(db(), aRun({ run, attempt: 2, project }), later(10));
    await log(run, 2, 50, 100);
    await end(run, 'failed', 2);
    await saveOnsets(db(), run, [
      { attempt: 1, onset: null, lastStep: 99, removed: [] },
      { attempt: 2, onset: 60, lastStep: 149, removed: [] },
    ]);
    expect([await outcomeOf(alert), await isLate(alert)]).toEqual([['diverged', 60], false]);
  });

  test.each(['stopped', 'failed'] as const)('nothing is known of the alert of a run that %s early', async (status) => {
    const alert = await train(aProject());
    await end(alert.run, status);
    await read(alert.run, null);
    expect(await outcomeOf(alert)).toEqual(['unknown', null]);
  });

  test('nothing is known of an alert after which a command reduced the learning rate', async () => {
    const alert = await train(aProject());
    const { run } = alert;
    const action = { kind: 'reduce-lr', factor: 0.5 } as const;
    const given = await giveCommand(db(), { run, action, by: 'ada', reason: 'a try' }, later(1));
    await acknowledgeCommand(db(), given, later(2));
    await settleCommand(db(), { run, id: given.id, result: null, error: null }, later(3));
    await end(run);
    await read(run, null);
    expect(await outcomeOf(alert)).toEqual(['unknown', null]);
  });

  test('a divergence counts for the alerts of its attempt and of those before, not of later ones', async () => {
    const first = await train(aProject());
    const { run } = first;
    await end(run, 'failed');
    await startRun(db(), aRun({ run, attempt: 2, project: (await getAlert(db(), first))?.project ?? '' }), later(10));
    await log(run, 2, 50, 100);
    await resolveStaleAlerts(db(), { run, attempt: 2, open: [] }, later(11));
    const second = await open(run, { attempt: 2, step: 80 });
    await end(run, 'finished', 2);
    const onsets = (one: number | null, two: number | null) =>
      saveOnsets(db(), run, [
        { attempt: 1, onset: one, lastStep: 99, removed: [] },
        { attempt: 2, onset: two, lastStep: 149, removed: [] },
      ]);
    await onsets(95, null);
    expect([await outcomeOf(first), await outcomeOf(second)]).toEqual([
      ['diverged', 95],
      ['healthy', null],
    ]);
    await onsets(null, 120);
    expect([await outcomeOf(first), await outcomeOf(second)]).toEqual([
      ['diverged', 120],
      ['diverged', 120],
    ]);
  });

  test.each<[string, EndStatus, number, string]>([
    ['its attempt was stopped and the next rewound to before it', 'stopped', 50, 'unknown'],
    ['its attempt failed and the next rewound to behind it', 'failed', 90, 'unknown'],
    ['its attempt was stopped and the next went on where that ended', 'stopped', 100, 'healthy'],
    ['its attempt had finished, whatever the next did', 'finished', 50, 'healthy'],
  ])('what is known of an alert where %s', async (_, status, first, outcome) => {
    const project = aProject();
    const alert = await train(project);
    const { run } = alert;
    await end(run, status);
    await startRun(db(), aRun({ run, attempt: 2, project }), later(10));
    await log(run, 2, first, 100);
    await end(run, 'finished', 2);
    await saveOnsets(db(), run, [
      { attempt: 1, onset: null, lastStep: 99, removed: [] },
      { attempt: 2, onset: null, lastStep: first + 99, removed: [] },
    ]);
    expect(await outcomeOf(alert)).toEqual([outcome, null]);
  });

  test('runs that are over and had alerts are to be read, again when they have other steps', async () => {
    const [over, running] = [await train(aProject()), await train(aProject())];
    const quiet = await begin(db());
    await log(quiet, 1, 0, 9);
    for (const run of [over.run, quiet]) await end(run);
    const among = [over.run, running.run, quiet];
    expect(await runsWithoutOnset(db(), among)).toEqual([over.run]);
    await read(over.run, 90);
    expect(await runsWithoutOnset(db(), among)).toEqual([]);
    await removeStep(db(), { run: over.run, attempt: 1, step: 95, removed: true, by: null }, NOW);
    expect(await runsWithoutOnset(db(), among)).toEqual([over.run]);
    await read(over.run, 90, [95]);
    await log(over.run, 1, 100, 1);
    expect(await runsWithoutOnset(db())).toContain(over.run);
    await markLostRuns(db(), { silentSince: later(1) }, later(2));
    expect(new Set(await runsWithoutOnset(db(), among))).toEqual(new Set([over.run, running.run]));
  });

  test('a run has diverged nowhere once all steps of an attempt are removed', async () => {
    const run = await begin(db());
    await log(run, 1, 5, 1);
    const alert = await open(run, { step: 5 });
    await end(run, 'failed');
    await saveOnsets(db(), run, [{ attempt: 1, onset: 5, lastStep: 5, removed: [] }]);
    expect(await outcomeOf(alert)).toEqual(['diverged', 5]);
    await removeStep(db(), { run, attempt: 1, step: 5, removed: true, by: null }, NOW);
    expect(await outcomeOf(alert)).toEqual(['unknown', null]);
  });

  test('where later attempts left a run is found out again once a step of one before is removed', async () => {
    const project = aProject();
    const { run } = await train(project);
    await end(run, 'failed');
    await startRun(db(), aRun({ run, attempt: 2, project }), later(10));
    await resolveStaleAlerts(db(), { run, attempt: 2, open: [] }, later(11));
    await log(run, 2, 50, 100);
    await end(run, 'failed', 2);
    const readAll = (removed: number[]) =>
      saveOnsets(db(), run, [
        { attempt: 1, onset: null, lastStep: 99, removed },
        { attempt: 2, onset: 120, lastStep: 149, removed: [] },
      ]);
    await readAll([]);
    const alert = await open(run, { attempt: 2, step: 80 });
    await removeStep(db(), { run, attempt: 1, step: 20, removed: true, by: null }, NOW);
    expect(await outcomeOf(alert)).toEqual(['running', null]);
    await readAll([20]);
    expect(await outcomeOf(alert)).toEqual(['diverged', 120]);
  });

  test('what was read of other steps than the run has is not stored', async () => {
    const { run } = await train(aProject());
    await end(run);
    await removeStep(db(), { run, attempt: 1, step: 95, removed: true, by: null }, NOW);
    expect(await read(run, 90)).toBe(false); // as before the removal
    expect(await runsWithoutOnset(db(), [run])).toEqual([run]);
    await log(run, 1, 100, 1);
    expect(await read(run, 90, [95])).toBe(false); // as before the last step
    expect(await runsWithoutOnset(db(), [run])).toEqual([run]);
  });

  test('the record of a project counts its alerts by rule, severity, mark and outcome, late ones apart, without archived runs', async () => {
    const project = aProject();
    await train(aProject());
    for (const onset of [90, 91, 40, null]) {
      const alert = await train(project, { severity: 'critical' });
      await end(alert.run);
      await read(alert.run, onset);
    }
    const marked = await train(project);
    await markAlerts(db(), { keys: [marked], feedback: 'false alarm', by: null }, NOW);
    const gone = await train(project, { rule: 'loss-spike' });
    await end(gone.run);
    await archiveRun(db(), { run: gone.run, archived: true, by: null }, NOW);
    const record = await readAlertRecord(db(), project);
    const words = record.map(
      (of) => `${of.alerts} ${of.severity} ${of.rule} ${of.outcome}${of.late ? ' late' : ''} ${of.feedback}`,
    );
    expect(words.sort()).toEqual([
      '1 critical tev-growth diverged late null',
      '1 critical tev-growth healthy null',
      '1 warning tev-growth running false alarm',
      '2 critical tev-growth diverged null',
    ]);
    expect(await listAlerts(db(), { project, limit: 9 })).toHaveLength(5);
  });
});
