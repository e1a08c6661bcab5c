import { randomUUID } from 'node:crypto';
import type { Alert } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { describeDatabases } from '../testing.ts';
import { aFinding, begin, later, NOW } from '../testing-data.ts';
import { acknowledgeAlert, type NewAlert, raiseAlert, resolveAlert } from '../writes/alert.ts';
import { archiveRun } from '../writes/run-removal.ts';
import { type AlertFilter, countAlerts, getAlert, listAlerts, pageAlerts } from './alert-list.ts';

const UNDER_WAY = { outcome: 'running', onset: null, late: false };

describeDatabases('lists of alerts', (db) => {
  const open = async (run: string, over: Partial<NewAlert> = {}, now = NOW): Promise<Alert> => {
    const raised = await raiseAlert(db(), run, aFinding(over), now);
    if (!raised) throw new Error('no alert was opened');
    return raised.alert;
  };

  test('a list is newest first, in pages, with the name and project of each run', async () => {
    const project = `pages ${randomUUID()}`;
    const run = await begin(db(), { project, name: 'one' });
    const first = await open(run, { rule: 'stalled' }, later(11));
    const second = await open(run, { rule: 'loss-spike' }, later(12));
    const third = await open(await begin(db(), { project, name: 'other' }), {}, later(13));
    const page = (limit: number, offset?: number) => listAlerts(db(), { project, limit, offset });
    expect(await page(9)).toEqual([
      { ...third, runName: 'other', project, ...UNDER_WAY },
      { ...second, runName: 'one', project, ...UNDER_WAY },
      { ...first, runName: 'one', project, ...UNDER_WAY },
    ]);
    expect((await page(2)).map(({ id }) => id)).toEqual([third.id, second.id]);
    expect((await page(2, 2)).map(({ id }) => id)).toEqual([first.id]);
  });

  test('read by cursor, page after page holds each alert once, whatever opens meanwhile', async () => {
    const project = `by cursor ${randomUUID()}`;
    const runs = await Promise.all([1, 2, 3].map(() => begin(db(), { project })));
    for (const run of runs) for (const rule of ['stalled', 'loss-spike']) await open(run, { rule }, later(20)); // at once
    const expected = (await listAlerts(db(), { project, limit: 9 })).map(({ id }) => id);
    const first = await pageAlerts(db(), { project, limit: 4 });
    await open(runs[0] ?? '', {}, later(21));
    const rest = await pageAlerts(db(), { project, limit: 4, cursor: first.nextCursor ?? '' });
    expect([...first.rows, ...rest.rows].map(({ id }) => id)).toEqual(expected);
    expect(rest.nextCursor).toBeNull();
  });

  test.each([
    'x',
    '',
    Buffer.from('["2026-01-01T00:00:00.000Z"]').toString('base64url'),
    Buffer.from('["2026-13-01T00:00:00.000Z","01890a5d-ac96-774b-bcce-b302099a8057"]').toString('base64url'),
    Buffer.from('["2026-01-01T00:00:00.000Z",7]').toString('base64url'),
  ])('%j is no cursor of alerts', async (cursor) => {
    await expect(pageAlerts(db(), { limit: 1, cursor })).rejects.toMatchObject({ field: 'cursor' });
  });

  test('a list and its counts are narrowed alike', async () => {
    const project = `narrowed ${randomUUID()}`;
    const base = await begin(db(), { project, name: '100%_Base' });
    const other = await begin(db(), { project, name: 'plain' });
    const stalled = await open(base, { rule: 'stalled' }, later(1));
    const spike = await open(base, { rule: 'loss-spike', severity: 'critical' }, later(2));
    const growth = await open(other, {}, later(3));
    await resolveAlert(db(), stalled, NOW);
    await acknowledgeAlert(db(), spike, NOW);
    const ids = async (filter: AlertFilter) => {
      const listed = (await listAlerts(db(), { project, limit: 9, ...filter })).map(({ id }) => id);
      const { status = ['open', 'acknowledged', 'resolved'], ...rest } = filter;
      const counts = await countAlerts(db(), { project, ...rest });
      expect(status.reduce((sum, each) => sum + counts[each], 0)).toBe(listed.length);
      return listed;
    };
    expect(await ids({})).toEqual([growth.id, spike.id, stalled.id]);
    expect(await countAlerts(db(), { project })).toEqual({ open: 1, acknowledged: 1, resolved: 1 });
    expect(await ids({ status: ['resolved'] })).toEqual([stalled.id]);
    expect(await ids({ status: ['open', 'acknowledged'] })).toEqual([growth.id, spike.id]);
    expect(await ids({ rule: ['stalled', 'tev-growth'] })).toEqual([growth.id, stalled.id]);
    expect(await ids({ severity: 'critical' })).toEqual([spike.id]);
    expect(await ids({ search: '0%_b' })).toEqual([spike.id, stalled.id]);
    expect(await ids({ search: 'p_ain' })).toEqual([]);
    expect(await ids({ openedFrom: later(2) })).toEqual([growth.id, spike.id]);
    expect(await ids({ run: other })).toEqual([growth.id]);
    expect(await listAlerts(db(), { project: 'nobody', limit: 9 })).toEqual([]);
  });

  test('the alerts of an archived run are listed with that run alone', async () => {
    const project = `away ${randomUUID()}`;
    const run = await begin(db(), { project });
    const alert = await open(run);
    await archiveRun(db(), { run, archived: true, by: null }, NOW);
    expect(await listAlerts(db(), { project, limit: 9 })).toEqual([]);
    expect(await countAlerts(db(), { project })).toMatchObject({ open: 0 });
    expect(await listAlerts(db(), { run, limit: 9 })).toMatchObject([{ id: alert.id }]);
    expect(await getAlert(db(), alert)).toMatchObject({ id: alert.id, project });
  });

  test('an unknown alert is none', async () => {
    const { run } = await open(await begin(db()));
    expect(await getAlert(db(), { run, id: randomUUID() })).toBeNull();
  });
});
