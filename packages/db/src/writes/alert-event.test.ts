import type { Alert } from '@evenkeel/protocol';
import { asc, eq, sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { getAlert, listAlerts } from '../reads/alert-list.ts';
import { listCommands } from '../reads/command.ts';
import { alertEvent } from '../tables/schema.ts';
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
  resolveRule,
  resolveStaleAlerts,
} from './alert.ts';
import { writeRules } from './project.ts';
import { finishRun } from './run.ts';
import { deleteRun } from './run-removal.ts';

describeDatabases('the history of alerts', (db) => {
  const open = async (run: string, over: Partial<NewAlert> = {}): Promise<Alert> => {
    const raised = await raiseAlert(db(), run, aFinding(over), NOW);
    if (!raised) throw new Error('no alert was opened');
    return raised.alert;
  };
  const eventsOf = (run: string) =>
    db().sql.select().from(alertEvent).where(eq(alertEvent.run, run)).orderBy(asc(alertEvent.id));
  const kindsOf = async (run: string) => (await eventsOf(run)).map(({ kind }) => kind);

  test('every change of an alert leaves one row with the alert as it became, and what changes nothing none', async () => {
    const run = await begin(db());
    const worse = aFinding({ severity: 'critical', step: 72, risk: 0.9 });
    const alert = await open(run);
    await raiseAlert(db(), run, aFinding(), later(1)); // is open already
    for (const at of [2, 3]) await raiseAlert(db(), run, worse, later(at));
    for (const at of [4, 5]) await acknowledgeAlert(db(), alert, later(at), 'ada');
    await noteAlert(db(), { run, id: alert.id, note: 'shard 7', by: 'bob' }, later(6));
    await noteAlert(db(), { run, id: alert.id, note: '', by: 'ada' }, later(7));
    for (const at of [8, 9]) await resolveAlert(db(), alert, later(at));
    for (const at of [10, 11]) await markAlerts(db(), { keys: [alert], feedback: 'true', by: 'ada' }, later(at));
    await markAlerts(db(), { keys: [alert], feedback: null, by: 'bob' }, later(12));
    const events = await eventsOf(run);
    expect(events.map(({ kind, at, by }) => [kind, at, by])).toEqual([
      ['opened', NOW, null],
      ['escalated', later(2), null],
      ['acknowledged', later(4), 'ada'],
      ['noted', later(6), 'bob'],
      ['noted', later(7), 'ada'],
      ['resolved', later(8), null],
      ['marked', later(10), 'ada'],
      ['marked', later(12), 'bob'],
    ]);
    expect(new Set(events.map(({ alert: id, attempt }) => `${id} ${attempt}`))).toEqual(new Set([`${alert.id} 1`]));
    expect(events[0]?.payload).toEqual(JSON.parse(JSON.stringify(alert)));
    expect(events.map(({ payload }) => [payload.severity, payload.status, payload.note])).toEqual([
      ['warning', 'open', null],
      ['critical', 'open', null],
      ['critical', 'acknowledged', null],
      ['critical', 'acknowledged', 'shard 7'],
      ['critical', 'acknowledged', null],
      ['critical', 'resolved', null],
      ['critical', 'resolved', null],
      ['critical', 'resolved', null],
    ]);
    expect(events.slice(-2).map(({ payload }) => [payload.feedback, payload.feedbackBy])).toEqual([
      ['true', 'ada'],
      [null, null],
    ]);
  });

  test('many that change at once leave a row each, of those that changed alone', async () => {
    const run = await begin(db());
    const alerts = [await open(run), await open(run, { rule: 'stalled' }), await open(run, { rule: 'loss-spike' })];
    await acknowledgeAlerts(db(), alerts.slice(0, 2), later(1), 'ada');
    await acknowledgeAlerts(db(), alerts, later(2), 'bob');
    await resolveAlerts(db(), [...alerts, ...alerts], later(3), 'ada');
    const changes = (await eventsOf(run)).slice(3).map(({ kind, alert, by }) => `${kind} ${alert} by ${by}`);
    const of = (what: string, by: string, changed: Alert[]) => changed.map(({ id }) => `${what} ${id} by ${by}`);
    expect(changes.sort()).toEqual(
      [
        ...of('acknowledged', 'ada', alerts.slice(0, 2)),
        ...of('acknowledged', 'bob', alerts.slice(2)),
        ...of('resolved', 'ada', alerts),
      ].sort(),
    );
  });

  test('what the server resolves by itself leaves a row each', async () => {
    const run = await begin(db(), { project: 'outbox' });
    const [growth] = [await open(run), await open(run, { rule: 'stalled' }), await open(run, { rule: 'loss-spike' })];
    for (let time = 0; time < 2; time++) {
      await resolveRule(db(), { run, rule: growth.rule, step: growth.step }, later(1));
      await resolveStaleAlerts(db(), { run, attempt: 1, open: ['loss-spike'] }, later(2));
      await writeRules(db(), 'outbox', { 'loss-spike': { enabled: false } }, later(3), 'ada');
    }
    const resolved = (await eventsOf(run)).slice(3);
    expect(resolved.map(({ kind, at, by, payload }) => [kind, at, by, payload.rule])).toEqual([
      ['resolved', later(1), null, 'tev-growth'],
      ['resolved', later(2), null, 'stalled'],
      ['resolved', later(3), 'ada', 'loss-spike'],
    ]);
  });

  test('a change that cannot be recorded is not made', async () => {
    const run = await begin(db(), { project: 'failing' });
    const alert = await open(run);
    const refuseAll = sql`
      create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no rows today'; end $$`;
    await db().sql.execute(refuseAll);
    await db().sql.execute(sql`create trigger refuse before insert on alert_event execute function refuse()`);
    const changes: (() => Promise<unknown>)[] = [
      () => open(run, { rule: 'loss-spike' }),
      () => open(run, { severity: 'critical' }),
      () => acknowledgeAlert(db(), alert, later(1)),
      () => noteAlert(db(), { ...alert, note: 'n', by: 'ada' }, later(1)),
      () => resolveAlert(db(), alert, later(1)),
      () => markAlerts(db(), { keys: [alert], feedback: 'true', by: 'ada' }, later(1)),
      () => resolveRule(db(), alert, later(1)),
      () => resolveStaleAlerts(db(), { run, attempt: 1, open: [] }, later(1)),
      () => writeRules(db(), 'failing', { 'tev-growth': { enabled: false } }, later(1)),
    ];
    for (const change of changes) await expect(change()).rejects.toThrow();
    await db().sql.execute(sql`drop trigger refuse on alert_event`);
    expect(await getAlert(db(), alert)).toMatchObject(alert);
    expect(await listAlerts(db(), { run, limit: 9 })).toHaveLength(1);
    expect(await kindsOf(run)).toEqual(['opened']);
  });

  test('an alert whose command cannot be given leaves no row', async () => {
    const policy = { warning: { kind: 'stop' }, critical: { kind: 'stop' } } as const;
    const run = await begin(db(), { policy });
    await db().sql.execute(sql`alter table command add constraint no_stop check (kind <> 'stop') not valid`);
    await expect(open(run)).rejects.toThrow();
    expect(await kindsOf(run)).toEqual([]);
    await db().sql.execute(sql`alter table command drop constraint no_stop`);
    await open(run);
    expect(await kindsOf(run)).toEqual(['opened']);
    expect(await listCommands(db(), { run, limit: 9 })).toHaveLength(1);
  });

  test('a deleted run takes the history of its alerts with it', async () => {
    const run = await begin(db());
    await open(run);
    await finishRun(db(), { run, attempt: 1, status: 'finished', reason: null }, later(1));
    await deleteRun(db(), { run, name: 'even' });
    expect(await kindsOf(run)).toEqual([]);
  });
});
