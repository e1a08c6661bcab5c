import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { describeDatabases } from '../testing.ts';
import { aFinding, aStep, begin, later, NOW } from '../testing-data.ts';
import { acknowledgeAlert, raiseAlert, resolveAlert } from '../writes/alert.ts';
import { saveForecasts } from '../writes/forecast.ts';
import { rollUp } from '../writes/rollup.ts';
import { finishRun } from '../writes/run.ts';
import { archiveRun, deleteRun } from '../writes/run-removal.ts';
import { insertSteps } from '../writes/step.ts';
import { recentSteps } from './recent-steps.ts';
import { getRun } from './run.ts';
import { readHistory } from './run-history.ts';
import {
  countGroups,
  countRuns,
  listRuns,
  listTags,
  pageRuns,
  RUN_SORT_KEYS,
  type RunFilter,
  type RunSortKey,
} from './run-list.ts';

describeDatabases('lists of runs', (db) => {
  test('a list is newest first, and narrowed by project, status, ids and words', async () => {
    const project = `list ${randomUUID()}`;
    const old = await begin(db(), { project, name: '100%', startedAt: later(1).getTime(), tags: ['Warm-Up'] });
    const young = await begin(db(), { project, name: 'plain', startedAt: later(2).getTime(), owner: 'Ann' });
    await finishRun(db(), { run: old, attempt: 1, status: 'finished', reason: null }, later(3));
    const ids = async (query: object) => (await listRuns(db(), { limit: 9, project, ...query })).map(({ id }) => id);
    expect(await ids({})).toEqual([young, old]);
    expect(await ids({ limit: 1 })).toEqual([young]);
    expect(await ids({ status: ['finished'] })).toEqual([old]);
    expect(await ids({ ids: [old] })).toEqual([old]);
    expect(await ids({ ids: [] })).toEqual([]);
    expect(await ids({ search: '0%' })).toEqual([old]);
    expect(await ids({ search: 'warm-up' })).toEqual([old]);
    expect(await ids({ search: 'ann' })).toEqual([young]);
    expect(await ids({ search: 'LIST' })).toEqual([young, old]);
    expect(await ids({ search: 'p_ain' })).toEqual([]);
    expect(await listRuns(db(), { limit: 9, project: 'none' })).toEqual([]);
  });

  test('a list shows the alerts that are not resolved', async () => {
    const run = await begin(db());
    const spike = await raiseAlert(db(), run, aFinding({ rule: 'loss-spike', step: 7 }), later(1));
    await raiseAlert(db(), run, aFinding({ rule: 'stalled', step: 9 }), later(2));
    const gone = await raiseAlert(db(), run, aFinding({ rule: 'non-finite', step: 7 }), later(3));
    await resolveAlert(db(), { run, id: gone?.alert.id ?? '' }, NOW);
    await acknowledgeAlert(db(), { run, id: spike?.alert.id ?? '' }, NOW);
    const [summary] = await listRuns(db(), { limit: 1, ids: [run] });
    expect(summary?.openAlerts).toEqual([
      { rule: 'stalled', severity: 'warning', step: 9 },
      { rule: 'loss-spike', severity: 'warning', step: 7 },
    ]);
  });
  test('a list is narrowed by tag, configuration, risk and time, and counted alike', async () => {
    const project = `narrow ${randomUUID()}`;
    const deep = await begin(db(), { project, tags: ['base'], config: { model: { layers: 4 }, 'a.b': true } });
    const wide = await begin(db(), {
      project,
      tags: ['base', 'wide'],
      config: { model: { layers: 12 } },
      startedAt: later(9).getTime(),
    });
    const point = { step: 1, risk: 0.6, divergenceStep: 9, divergenceInterval: [5, 12] as [number, number] };
    await saveForecasts(db(), { run: wide, attempt: 1, points: [point] });
    const ids = async (filter: RunFilter) => {
      const runs = (await listRuns(db(), { limit: 9, project, ...filter })).map(({ id }) => id);
      expect(await countRuns(db(), { project, ...filter })).toBe(runs.length);
      return runs;
    };
    expect(await ids({})).toEqual([wide, deep]);
    expect(await ids({ tag: 'base' })).toEqual([wide, deep]);
    expect(await ids({ tag: 'wide' })).toEqual([wide]);
    expect(await ids({ tag: 'wid' })).toEqual([]);
    expect(await ids({ config: [{ path: ['model', 'layers'], value: '4' }] })).toEqual([deep]);
    expect(await ids({ config: [{ path: ['a.b'], value: 'true' }] })).toEqual([deep]);
    expect(
      await ids({
        config: [
          { path: ['model', 'layers'], value: '4' },
          { path: ['a.b'], value: 'no' },
        ],
      }),
    ).toEqual([]);
    expect(await ids({ risk: 0.5 })).toEqual([wide]);
    expect(await ids({ risk: 0.7 })).toEqual([]);
    expect(await ids({ startedFrom: later(9) })).toEqual([wide]);
    expect(await ids({ startedBefore: later(9) })).toEqual([deep]);
    expect(await ids({ status: ['running', 'lost'] })).toEqual([wide, deep]);
    expect(await ids({ status: [] })).toEqual([]);
    expect(await listTags(db())).toEqual(expect.arrayContaining(['base', 'wide']));
  });

  test('a list is sorted by any column, what is unknown last, page by page', async () => {
    const project = `sort ${randomUUID()}`;
    const losses = [2, null, Number.NaN, 1];
    const ids: string[] = [];
    for (const [at, loss] of losses.entries()) {
      const run = await begin(db(), { project, name: `run ${9 - at}`, startedAt: later(at).getTime() });
      await insertSteps(db(), [{ run, attempt: 1, steps: [aStep(at, { loss })] }], NOW);
      ids.push(run);
    }
    const sorted = async (by: RunSortKey, descending: boolean) =>
      (await listRuns(db(), { limit: 9, project, sort: { by, descending } })).map(({ id }) => ids.indexOf(id));
    expect(await sorted('loss', false)).toEqual([3, 0, 2, 1]);
    expect(await sorted('loss', true)).toEqual([0, 3, 2, 1]);
    expect(await sorted('name', false)).toEqual([3, 2, 1, 0]);
    expect(await sorted('step', true)).toEqual([3, 2, 1, 0]);
    expect(await sorted('started', false)).toEqual([0, 1, 2, 3]);
    const page = async (offset: number) => (await listRuns(db(), { limit: 2, offset, project })).map(({ id }) => id);
    expect([...(await page(0)), ...(await page(2)), ...(await page(4))]).toEqual([...ids].reverse());
  });

  test('a list is sorted by the worst alert and by the end, too', async () => {
    const project = `worst ${randomUUID()}`;
    const runs: string[] = [];
    for (let at = 0; at < 4; at++) runs.push(await begin(db(), { project, startedAt: later(at).getTime() }));
    const [calm = '', warned = '', critical = '', over = ''] = runs;
    await raiseAlert(db(), warned, aFinding(), later(1));
    await raiseAlert(db(), critical, aFinding(), later(1));
    await raiseAlert(db(), critical, aFinding({ rule: 'non-finite', severity: 'critical' }), later(1));
    const past = await raiseAlert(db(), over, aFinding({ severity: 'critical' }), later(1));
    await resolveAlert(db(), { run: over, id: past?.alert.id ?? '' }, NOW);
    const by = async (key: RunSortKey) =>
      (await listRuns(db(), { limit: 9, project, sort: { by: key, descending: true } })).map(({ id }) => id);
    expect(await by('alerts')).toEqual([critical, warned, over, calm]);
    await finishRun(db(), { run: warned, attempt: 1, status: 'failed', reason: null }, later(8));
    await finishRun(db(), { run: calm, attempt: 1, status: 'finished', reason: null }, later(9));
    expect(await by('ended')).toEqual([calm, warned, over, critical]);
  });

  test('a list stands in groups of one value of the configuration, and the groups are counted', async () => {
    const project = `group ${randomUUID()}`;
    const runs = new Map<string, string>();
    const configs = { ten: 10, word: 'ten', two: 2, none: null, twice: 2, yes: true };
    for (const [name, layers] of Object.entries(configs)) {
      const id = await begin(db(), {
        project,
        name,
        config: { model: { layers } },
        startedAt: later(runs.size).getTime(),
      });
      runs.set(id, name);
    }
    runs.set(await begin(db(), { project, name: 'other', config: { layers: 1 } }), 'other');
    const group = ['model', 'layers'];
    const names = async (query: object) =>
      (await listRuns(db(), { limit: 9, project, group, ...query })).map(({ id }) => runs.get(id));
    const byName = { by: 'name', descending: false };
    expect(await names({ sort: byName })).toEqual(['word', 'twice', 'two', 'ten', 'yes', 'none', 'other']);
    expect(await names({})).toEqual(['word', 'twice', 'two', 'ten', 'yes', 'none', 'other']);
    expect(await names({ sort: byName, offset: 2, limit: 2 })).toEqual(['two', 'ten']);
    expect(await countGroups(db(), { project, group })).toEqual([
      { value: 'ten', runs: 1 },
      { value: '2', runs: 2 },
      { value: '10', runs: 1 },
      { value: 'true', runs: 1 },
      { value: null, runs: 2 },
    ]);
    expect(await countGroups(db(), { project, group, search: 'tw' })).toEqual([{ value: '2', runs: 2 }]);
  });

  test('a list read by cursor holds each run once, in its order, while others are added', async () => {
    const project = `pages ${randomUUID()}`;
    const losses = [2, null, Number.NaN, 1, 2, null, 1e300];
    const add = async (at: number) => {
      const start = { project, owner: at % 3 ? 'ada' : null, config: { lr: at % 2 ? 0.1 : null } };
      const run = await begin(db(), { ...start, name: `run ${at % 4}`, startedAt: later(at % 5).getTime() });
      await insertSteps(db(), [{ run, attempt: 1, steps: [aStep(at, { loss: losses[at % 7] ?? null })] }], NOW);
      if (at % 3 === 0) await raiseAlert(db(), run, aFinding({ severity: at % 2 ? 'critical' : 'warning' }), NOW);
      return run;
    };
    for (let at = 0; at < 14; at++) await add(at);
    let added = 14;
    for (const by of RUN_SORT_KEYS) {
      for (const descending of [false, true]) {
        const query = { project, sort: { by, descending }, ...(descending && { group: ['lr'] }) };
        const before = (await listRuns(db(), { limit: 99, ...query })).map(({ id }) => id);
        const read: string[] = [];
        for (let cursor: string | undefined | null; cursor !== null; ) {
          const page = await pageRuns(db(), { limit: 4, cursor, ...query });
          expect(page.runs.length).toBeLessThanOrEqual(4);
          read.push(...page.runs.map(({ id }) => id));
          cursor = page.nextCursor;
          if (added % 4 !== 0 || read.length < 8) await add(added++); // some come before the cursor, some behind it
        }
        expect(new Set(read).size).toBe(read.length);
        expect(read.filter((id) => before.includes(id))).toEqual(before);
      }
    }
  });

  test('a cursor that is none of the list is refused, and is no error of the database', async () => {
    const as = (...keys: unknown[]) => Buffer.from(JSON.stringify(keys)).toString('base64url');
    const [time, id] = ['2026-01-02T03:04:05.678+00:00', randomUUID()];
    const sort = { by: 'loss', descending: true } as const;
    for (const cursor of [
      ...['', 'x', as(), as(time), as(time, 'x'), as('now', id), as(null, id), as('2026-99-02T03:04:05+00:00', id)],
      as(1, time, id), // of a list that is sorted
    ]) {
      await expect(pageRuns(db(), { limit: 1, cursor })).rejects.toMatchObject({ field: 'cursor' });
    }
    for (const cursor of [as(time, id), as('x', time, id), as({}, time, id)]) {
      await expect(pageRuns(db(), { limit: 1, cursor, sort })).rejects.toMatchObject({ field: 'cursor' });
    }
    const grouped = { limit: 1, group: ['lr'] };
    for (const value of ['{', '"\\u0000"', '1\0'])
      await expect(pageRuns(db(), { ...grouped, cursor: as(value, time, id) })).rejects.toThrow('begin at its start');
    expect((await pageRuns(db(), { limit: 1, sort, cursor: as('Infinity', time, id) })).runs).toBeDefined();
  });

  test('numbers that JSON cannot carry are kept, found and grouped by what they are', async () => {
    const project = `numbers ${randomUUID()}`;
    const number = (text: string) => ({ $number: text });
    const configs = [number('9007199254740992'), number('9007199254740993'), number('Infinity'), 'Infinity', 5];
    const runs: string[] = [];
    for (const seed of configs) runs.push(await begin(db(), { project, config: { seed } }));
    const kept = await Promise.all(runs.map(async (id) => (await getRun(db(), id))?.config));
    expect(kept).toEqual(configs.map((seed) => ({ seed })));
    const found = async (value: string) =>
      (await listRuns(db(), { limit: 9, project, config: [{ path: ['seed'], value }] })).map(({ id }) => id);
    expect(await found('9007199254740993')).toEqual([runs[1]]);
    expect((await found('Infinity')).sort()).toEqual([runs[2], runs[3]].sort());
    expect(await countGroups(db(), { project, group: ['seed'] })).toEqual(
      ['Infinity', '5', '9007199254740992', '9007199254740993', 'Infinity'].map((value) => ({ value, runs: 1 })),
    );
  });

  test('of more groups than a thousand the last holds the rest, so that every run has its place', async () => {
    const project = `groups ${randomUUID()}`;
    await begin(db(), { project, config: { none: 1 } });
    await db().sql.execute(`
      insert into run (id, project_id, name, status, config, tags, notes, layers, started_at, last_seen_at)
      select gen_random_uuid(), (select id from project where name = '${project}'), 'run ' || seed, 'running',
        jsonb_build_object('seed', seed), '{}', '', '{}', now(), now() from generate_series(1, 1003) as seed`);
    const groups = await countGroups(db(), { project, group: ['seed'] });
    expect(groups).toHaveLength(1_001);
    expect(groups[999]).toEqual({ value: '1000', runs: 1 });
    expect(groups[1_000]).toEqual({ value: null, runs: 4, isRest: true });
  });

  test('an archived run is in no list until it is restored', async () => {
    const project = `away ${randomUUID()}`;
    const run = await begin(db(), { project });
    await archiveRun(db(), { run, archived: true, by: 'ada' }, later(1));
    await archiveRun(db(), { run, archived: true, by: 'bob' }, later(1)); // archived already
    expect(await listRuns(db(), { limit: 9, project })).toEqual([]);
    expect(await listRuns(db(), { limit: 9, project, archived: true })).toMatchObject([
      { id: run, archivedAt: later(1) },
    ]);
    expect(await listRuns(db(), { limit: 9, ids: [run] })).toHaveLength(1);
    await archiveRun(db(), { run, archived: false, by: null }, later(2));
    expect(await listRuns(db(), { limit: 9, project })).toMatchObject([{ id: run, archivedAt: null }]);
    expect(await readHistory(db(), { run, limit: 9 })).toMatchObject([
      { kind: 'run restored', attempt: 1, by: null, at: later(2) },
      { kind: 'run archived', attempt: 1, by: 'ada', at: later(1) },
    ]);
    const unknown = { run: randomUUID(), archived: true, by: null };
    await expect(archiveRun(db(), unknown, NOW)).rejects.toMatchObject({ field: 'run' });
  });

  test('a run is deleted with all that is its own, by its name, once it does not run', async () => {
    const [run, other] = [await begin(db(), { name: 'gone' }), await begin(db())];
    const steps = Array.from({ length: 200 }, (_, step) => aStep(step));
    for (const id of [run, other]) {
      await insertSteps(db(), [{ run: id, attempt: 1, steps }], NOW);
      await rollUp(db(), id);
      await raiseAlert(db(), id, aFinding(), NOW);
    }
    await expect(deleteRun(db(), { run, name: 'gone' })).rejects.toMatchObject({
      field: 'run',
      message: expect.stringContaining('stop it'),
    });
    await finishRun(db(), { run, attempt: 1, status: 'stopped', reason: null }, NOW);
    await expect(deleteRun(db(), { run, name: 'other' })).rejects.toMatchObject({ field: 'name' });
    await deleteRun(db(), { run, name: 'gone' });
    await expect(deleteRun(db(), { run, name: 'gone' })).rejects.toMatchObject({ field: 'run' });
    expect(await listRuns(db(), { limit: 9, ids: [run] })).toEqual([]);
    const left = await db().sql.execute<{ rows: number }>(
      `select (select count(*) from step where run = '${run}') + (select count(*) from rollup where run = '${run}')
        + (select count(*) from alert where run = '${run}') as rows`,
    );
    expect(Number(left.rows[0]?.rows)).toBe(0);
    expect(await recentSteps(db(), { run: other, limit: 999 })).toHaveLength(200);
  });
});
