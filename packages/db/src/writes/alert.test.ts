import { randomUUID } from 'node:crypto';
import type { Alert, AlertFeedback } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { getAlert, listAlerts } from '../reads/alert-list.ts';
import { describeDatabases } from '../testing.ts';
import { aFinding, begin, later, NOW } from '../testing-data.ts';
import {
  acknowledgeAlert,
  acknowledgeAlerts,
  markAlerts,
  type NewAlert,
  noteAlert,
  raiseAlert,
  resolveAlert,
  resolveAlerts,
} from './alert.ts';

const finding = aFinding();

describeDatabases('alerts', (db) => {
  const open = async (run: string, over: Partial<NewAlert> = {}, now = NOW): Promise<Alert> => {
    const raised = await raiseAlert(db(), run, aFinding(over), now);
    if (!raised) throw new Error('no alert was opened');
    return raised.alert;
  };

  test('an alert goes from open to acknowledged to resolved, each once', async () => {
    const run = await begin(db());
    const alert = await open(run);
    const untold = { acknowledgedAt: null, resolvedAt: null, note: null, notedBy: null, notedAt: null };
    const unmarked = { feedback: null, feedbackBy: null, feedbackAt: null };
    expect(alert).toEqual({ ...finding, run, status: 'open', openedAt: NOW, ...untold, ...unmarked, id: alert.id });
    const acknowledged = { ...alert, status: 'acknowledged', acknowledgedAt: later(1) };
    expect(await acknowledgeAlert(db(), alert, later(1))).toEqual(acknowledged);
    expect(await acknowledgeAlert(db(), alert, later(2))).toEqual(acknowledged);
    const resolved = { ...acknowledged, status: 'resolved', resolvedAt: later(3) };
    expect(await resolveAlert(db(), alert, later(3))).toEqual(resolved);
    expect(await resolveAlert(db(), alert, later(4))).toEqual(resolved);
    expect(await acknowledgeAlert(db(), alert, later(5))).toEqual(resolved);
    expect(await listAlerts(db(), { run, limit: 9 })).toEqual([
      { ...resolved, runName: 'even', project: 'keel', outcome: 'running', onset: null, late: false },
    ]);
  });

  test('a rule has one unresolved alert of a run, which can only get worse', async () => {
    const run = await begin(db());
    const warning = await open(run);
    expect(await raiseAlert(db(), run, { ...finding, step: 71 }, later(1))).toBeNull();
    const seen: Partial<NewAlert> = {
      ...{ severity: 'critical', message: 'TEV explodes', evidence: { k: 3 } },
      ...{ window: [45, 72], risk: 0.9, divergenceStep: 120 },
    };
    const worse = aFinding({ ...seen, step: 72 });
    expect(await raiseAlert(db(), run, worse, later(2))).toEqual({
      alert: { ...warning, ...seen },
      change: 'escalated',
      command: null,
    });
    expect(await raiseAlert(db(), run, worse, later(3))).toBeNull();
    expect(await raiseAlert(db(), run, finding, later(3))).toBeNull();
    await resolveAlert(db(), warning, later(4));
    expect((await open(run, {}, later(5))).id).not.toBe(warning.id);
    expect(await listAlerts(db(), { run, status: ['open'], limit: 9 })).toHaveLength(1);
  });

  test('one of many findings at once opens the alert', async () => {
    const run = await begin(db());
    const opened = await Promise.all(Array.from({ length: 8 }, () => raiseAlert(db(), run, finding, NOW)));
    expect(opened.filter((alert) => alert !== null)).toHaveLength(1);
  });

  test('many are acknowledged and resolved at once, and only what changed is returned', async () => {
    const run = await begin(db());
    const other = await begin(db());
    const alerts = [await open(run, { rule: 'stalled' }), await open(run), await open(other)] as const;
    const bystander = await open(other, { rule: 'loss-spike' });
    const ids = (changed: readonly Alert[]) => changed.map(({ id }) => id).sort();
    await acknowledgeAlert(db(), alerts[0], later(1));
    const unknown = { run, id: randomUUID() };
    const crossed = { run: other, id: alerts[1].id }; // of two alerts, and so of none
    const asked = [...alerts, alerts[1], unknown];
    expect(await acknowledgeAlerts(db(), [unknown, crossed], later(2))).toEqual([]);
    const acknowledged = await acknowledgeAlerts(db(), asked, later(2));
    expect(ids(acknowledged)).toEqual(ids(alerts.slice(1)));
    expect(acknowledged[0]).toMatchObject({ status: 'acknowledged', acknowledgedAt: later(2) });
    expect((await getAlert(db(), alerts[0]))?.acknowledgedAt).toEqual(later(1));
    await resolveAlert(db(), alerts[2], later(3));
    const resolved = await resolveAlerts(db(), asked, later(4));
    expect(ids(resolved)).toEqual(ids(alerts.slice(0, 2)));
    expect(resolved[0]).toMatchObject({ status: 'resolved', resolvedAt: later(4) });
    expect(await acknowledgeAlerts(db(), asked, later(5))).toEqual([]);
    expect(await getAlert(db(), bystander)).toMatchObject({ status: 'open' });
  });

  test('a thousand at once are one statement, and so take one parameter each way', async () => {
    const alert = await open(await begin(db()));
    const unknown = Array.from({ length: 999 }, () => ({ run: alert.run, id: randomUUID() }));
    expect(await resolveAlerts(db(), [...unknown, alert], later(1))).toMatchObject([{ id: alert.id }]);
  });

  test('a note says who and when, outlives what becomes of the alert, and goes when it is emptied', async () => {
    const run = await begin(db());
    const alert = await open(run);
    const { id } = alert;
    const noted = { note: 'the data of shard 7', notedBy: 'ada', notedAt: later(1) };
    expect(await noteAlert(db(), { run, id, note: noted.note, by: 'ada' }, later(1))).toEqual({ ...alert, ...noted });
    await raiseAlert(db(), run, aFinding({ severity: 'critical', step: 72 }), later(2));
    expect(await resolveAlert(db(), alert, later(3))).toMatchObject({ ...noted, severity: 'critical' });
    const anonymous = await noteAlert(db(), { run, id, note: 'fixed', by: null }, later(4));
    expect(anonymous).toMatchObject({ note: 'fixed', notedBy: null, notedAt: later(4) });
    const emptied = await noteAlert(db(), { run, id, note: '', by: 'ada' }, later(5));
    expect(emptied).toMatchObject({ note: null, notedBy: null, notedAt: null });
  });

  test('feedback on alerts says who and when, outlives what becomes of them, and is taken back', async () => {
    const run = await begin(db());
    const [growth, spike] = [await open(run), await open(run, { rule: 'loss-spike' })];
    const mark = (feedback: AlertFeedback | null, by: string | null, at: number, keys: Alert[] = [growth, spike]) =>
      markAlerts(db(), { keys, feedback, by }, later(at));
    const marked = { feedback: 'false alarm', feedbackBy: 'ada', feedbackAt: later(1) };
    expect(await mark('false alarm', 'ada', 1, [growth])).toEqual([{ ...growth, ...marked }]);
    expect(await mark('false alarm', 'bob', 2)).toMatchObject([{ id: spike.id, feedbackBy: 'bob' }]); // the other was
    await raiseAlert(db(), run, aFinding({ severity: 'critical', step: 72 }), later(3));
    expect(await resolveAlert(db(), growth, later(4))).toMatchObject({ ...marked, severity: 'critical' });
    expect(await mark('true', null, 5, [growth])).toMatchObject([
      { feedback: 'true', feedbackBy: null, feedbackAt: later(5) },
    ]);
    expect(await mark(null, 'ada', 6, [growth])).toMatchObject([
      { feedback: null, feedbackBy: null, feedbackAt: null },
    ]);
    expect(await mark(null, 'ada', 7, [growth])).toEqual([]);
    expect(await mark('true', 'ada', 8, [{ ...growth, id: randomUUID() }])).toEqual([]);
  });

  test('an unknown alert is refused', async () => {
    const key = { run: await begin(db()), id: randomUUID() };
    await expect(acknowledgeAlert(db(), key, NOW)).rejects.toMatchObject({ name: 'RefusedError', field: 'id' });
    await expect(resolveAlert(db(), key, NOW)).rejects.toMatchObject({ name: 'RefusedError', field: 'id' });
    const note = noteAlert(db(), { ...key, note: 'x', by: null }, NOW);
    await expect(note).rejects.toMatchObject({ name: 'RefusedError', field: 'id' });
  });
});
