import { randomUUID } from 'node:crypto';
import type { Alert } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { acknowledgeAlert, type Finding, listAlerts, raiseAlert, resolveAlert } from './alert.ts';
import { describeDatabases } from './testing.ts';
import { aFinding, begin, later, NOW } from './testing-data.ts';

const finding = aFinding();

describeDatabases('alerts', (db) => {
  const open = async (run: string, over: Partial<Finding> = {}, now = NOW): Promise<Alert> => {
    const raised = await raiseAlert(db(), run, aFinding(over), now);
    if (!raised) throw new Error('no alert was opened');
    return raised.alert;
  };

  test('an alert goes from open to acknowledged to resolved, each once', async () => {
    const run = await begin(db());
    const alert = await open(run);
    const opened = { ...finding, run, status: 'open', openedAt: NOW, acknowledgedAt: null, resolvedAt: null };
    expect(alert).toEqual({ ...opened, id: alert.id });
    const acknowledged = { ...alert, status: 'acknowledged', acknowledgedAt: later(1) };
    expect(await acknowledgeAlert(db(), alert, later(1))).toEqual(acknowledged);
    expect(await acknowledgeAlert(db(), alert, later(2))).toEqual(acknowledged);
    const resolved = { ...acknowledged, status: 'resolved', resolvedAt: later(3) };
    expect(await resolveAlert(db(), alert, later(3))).toEqual(resolved);
    expect(await resolveAlert(db(), alert, later(4))).toEqual(resolved);
    expect(await acknowledgeAlert(db(), alert, later(5))).toEqual(resolved);
    expect(await listAlerts(db(), { run, limit: 9 })).toEqual([resolved]);
  });

  test('a rule has one unresolved alert of a run, which can only get worse', async () => {
    const run = await begin(db());
    const warning = await open(run);
    expect(await raiseAlert(db(), run, { ...finding, step: 71 }, later(1))).toBeNull();
    const seen: Partial<Finding> = {
      ...{ severity: 'critical', message: 'TEV explodes', evidence: { k: 3 } },
      ...{ window: [45, 72], risk: 0.9, divergenceStep: 120 },
    };
    const worse = aFinding({ ...seen, step: 72 });
    expect(await raiseAlert(db(), run, worse, later(2))).toEqual({ alert: { ...warning, ...seen }, command: null });
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

  test('a list is newest first, and narrowed by run and status', async () => {
    const run = await begin(db());
    const first = await open(run, { rule: 'stalled' }, later(11));
    const second = await open(run, { rule: 'loss-spike' }, later(12));
    const other = await open(await begin(db()), {}, later(13));
    const ids = async (query: object) => (await listAlerts(db(), { limit: 9, ...query })).map(({ id }) => id);
    expect(await ids({ run })).toEqual([second.id, first.id]);
    expect(await ids({ run, limit: 1 })).toEqual([second.id]);
    expect((await ids({}))[0]).toBe(other.id);
    await resolveAlert(db(), first, NOW);
    expect(await ids({ run, status: ['open', 'acknowledged'] })).toEqual([second.id]);
    expect(await ids({ run, status: ['resolved'] })).toEqual([first.id]);
  });

  test('an unknown alert is refused', async () => {
    const key = { run: await begin(db()), id: randomUUID() };
    await expect(acknowledgeAlert(db(), key, NOW)).rejects.toMatchObject({ name: 'RefusedError', field: 'id' });
    await expect(resolveAlert(db(), key, NOW)).rejects.toMatchObject({ name: 'RefusedError', field: 'id' });
  });
});
