import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  appendConsole,
  createApiKey,
  type Database,
  deleteRun,
  finishRun,
  giveCommand,
  insertSteps,
  raiseAlert,
  startRun,
} from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import {
  ANONYMOUS,
  MAX_CONSOLE_LINE_LENGTH,
  MAX_CONSOLE_LINES,
  MAX_PROJECT_NAMES,
  type Principal,
  parse,
  runConsole,
  runStart,
  type ServerEvent,
} from '@evenkeel/protocol';
import { createTRPCClient, httpLink } from '@trpc/client';
import { createHTTPHandler } from '@trpc/server/adapters/standalone';
import superjson from 'superjson';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AppRouter, appRouter } from './router.ts';

const RUN = '01890a5d-ac96-774b-bcce-b302099a8057';
const UNKNOWN = '01890a5d-ac96-774b-bcce-b302099a8058';
const TWICE = '01890a5d-ac96-774b-bcce-b302099a8059';
const OWNED = '01890a5d-ac96-774b-bcce-b302099a805a';
const NOW = new Date('2026-01-02T03:04:05Z');

let db: Database;
let client: ReturnType<typeof createTRPCClient<AppRouter>>;
const events: ServerEvent[] = [];
let principal: Principal = ANONYMOUS;
const http = createServer();

beforeAll(async () => {
  db = await openTestDatabase();
  const config = { constructor: { x: 1 }, lr: 3e-4 };
  const start = { run: RUN, attempt: 1, project: 'p', name: 'n', config, startedAt: 1_000, layers: ['a', 'b'] };
  await startRun(db, parse(runStart, start), NOW);
  const steps = Array.from({ length: 100 }, (_, step) => ({
    step,
    time: step,
    loss: step === 50 ? Number.NaN : step,
    layerGradVar: [step, 1],
  }));
  await insertSteps(db, [{ run: RUN, attempt: 1, steps }], NOW);
  const contextOf = () => ({
    db,
    now: () => NOW,
    principal,
    events: { publish: (event: ServerEvent) => void events.push(event) },
    command: (given: Parameters<typeof giveCommand>[1]) => giveCommand(db, given, NOW),
  });
  http.on('request', createHTTPHandler({ router: appRouter, createContext: contextOf }));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  client = createTRPCClient<AppRouter>({ links: [httpLink({ url, transformer: superjson })] });
});

afterAll(async () => {
  http.close();
  await db.close();
});

/** Changes of alerts, in order, as published. */
function alertEvents() {
  return events.flatMap((event) =>
    'alert' in event ? [[event.kind, event.alert.id, event.alert.status, event.alert.note]] : [],
  );
}

test('a run comes with its configuration as text, whatever its keys', async () => {
  const run = await client.run.get.query({ run: RUN });
  expect(run).toMatchObject({ project: 'p', name: 'n', status: 'running', lastStep: 99, startedAt: new Date(1_000) });
  expect(JSON.parse(run.config)).toEqual({ constructor: { x: 1 }, lr: 3e-4 });
});

test('names of custom scalars are asked for some at a time', async () => {
  const request = { run: RUN, without: ['evalLoss'], limit: 256 };
  expect(await client.run.customNames.query(request)).toEqual({ names: [], total: 0 });
  await expect(client.run.customNames.query({ ...request, limit: 257 })).rejects.toThrow(/^limit: /);
  await expect(client.run.customNames.query({ ...request, search: 'x'.repeat(501) })).rejects.toThrow(/^search: /);
});

test('console output is read from its end, or what has changed since', async () => {
  const run = RUN;
  expect(await client.console.lines.query({ run })).toEqual({ revision: 0, total: 0, lines: [], hasMore: false });
  const output = (lines: object[]) => parse(runConsole, { run, attempt: 1, lines });
  await appendConsole(db, output([0, 1].map((line) => ({ line, time: 5, text: `line ${line}` }))), null);
  const { revision, ...page } = await client.console.lines.query({ run, limit: 1 });
  const last = { attempt: 1, writer: 0, line: 1, time: 5, stream: 'stdout', text: 'line 1', cut: 0 };
  expect(page).toEqual({ total: 2, lines: [last], hasMore: true });
  expect(await client.console.lines.query({ run, before: last, limit: 1 })).toMatchObject({
    lines: [{ line: 0 }],
    hasMore: false,
  });
  await appendConsole(db, output([{ line: 0, time: 6, text: 'new' }]), null);
  expect((await client.console.lines.query({ run, after: revision })).lines).toMatchObject([{ line: 0, text: 'new' }]);
  await expect(client.console.lines.query({ run, limit: 1_001 })).rejects.toThrow(/^limit: /);
  const long = Array.from({ length: MAX_CONSOLE_LINES }, (_, line) => ({
    line,
    time: 7,
    text: '\u20ac'.repeat(MAX_CONSOLE_LINE_LENGTH),
  }));
  await appendConsole(db, output(long), null);
  expect((await client.console.lines.query({ run })).lines).toHaveLength(MAX_CONSOLE_LINES);
});

test('an unknown run is not found', async () => {
  await expect(client.run.get.query({ run: UNKNOWN })).rejects.toMatchObject({ data: { code: 'NOT_FOUND' } });
});

test('what is wrong with a request is said by its field', async () => {
  await expect(client.run.get.query({ run: 'x' })).rejects.toThrow(/^run: Invalid UUID$/);
  await expect(client.run.list.query({ search: 'a\0b' })).rejects.toThrow(/^search: contains a NUL/);
  await expect(client.step.chart.query({ run: RUN, columns: 10, from: 9, to: 3 })).rejects.toThrow(
    /^from: must not be/,
  );
  await expect(client.alert.resolve.mutate({ run: RUN, id: UNKNOWN })).rejects.toMatchObject({
    message: expect.stringMatching(/^id: /),
    data: { code: 'BAD_REQUEST' },
  });
});

test('a chart has the steps of its range, and marks what is not finite', async () => {
  const chart = await client.step.chart.query({ run: RUN, columns: 200, from: 49, to: 51 });
  expect(chart.steps).toEqual([49, 50, 51]);
  expect(chart.series.loss).toMatchObject({ mean: [49, null, 51], nonFinite: [0, 1, 0] });
  const layers = await client.step.array.query({ run: RUN, columns: 200, from: 49, to: 51, array: 'layerGradVar' });
  expect(layers).toEqual({
    steps: [49, 50, 51],
    values: [
      [49, 1],
      [50, 1],
      [51, 1],
    ],
  });
  const some = await client.step.chart.query({ run: RUN, columns: 200, series: ['lr', 'custom:missing'] });
  expect(Object.keys(some.series)).toEqual(['lr']);
  const wrong = ['lr', 'luck' as never] as const;
  await expect(client.step.chart.query({ run: RUN, columns: 200, series: [...wrong] })).rejects.toThrow(
    /^series\.1: expected loss, /,
  );
});

test('a command of a person is given, and listed with its result', async () => {
  const action = { kind: 'reduce-lr', factor: 0.5 } as const;
  const given = await client.run.command.mutate({ run: RUN, action, by: 'ada', reason: 'it rises' });
  expect(given).toMatchObject({
    run: RUN,
    ...action,
    by: 'ada',
    reason: 'it rises',
    status: 'pending',
    createdAt: NOW,
  });
  expect(await client.run.commands.query({ run: RUN })).toEqual([given]);
  const grow = { run: RUN, action: { ...action, factor: 2 } };
  await expect(client.run.command.mutate(grow)).rejects.toThrow(/^action\.factor: /);
  await expect(client.run.command.mutate({ run: UNKNOWN, action })).rejects.toThrow(/^run: no such run/);
});

test('the rules of a project are set whole, hold at once, and are refused where they make no sense', async () => {
  events.length = 0;
  const settings = { 'tev-growth': { warningMargin: -0.6 }, stalled: { enabled: false } };
  await client.project.setRules.mutate({ project: 'p', settings });
  expect(events).toEqual([{ kind: 'rules changed', project: 'p' }]);
  const read = await client.project.rules.query({ project: 'p' });
  expect(read.settings).toEqual(settings);
  expect(read.defaults['tev-growth']).toMatchObject({ warningMargin: -0.5, criticalMargin: 0 });
  expect(await client.project.list.query()).toEqual(['p']);
  const set = (wrong: object) => client.project.setRules.mutate({ project: 'p', settings: wrong });
  await expect(set({ 'tev-growth': { warningMargin: 0.9 } })).rejects.toThrow(
    /^settings\.tev-growth\.criticalMargin: must not be/,
  );
  await expect(set({ 'tev-growth': { warnning: 0.9 } })).rejects.toThrow(/warnning/);
  await expect(client.project.rules.query({ project: 'nobody' })).rejects.toThrow(/^project: no such project/);
  expect((await client.project.rules.query({ project: 'p' })).settings).toEqual(settings);
});

test('an alert is acknowledged, then resolved, and viewers receive both', async () => {
  const finding = {
    ...{ rule: 'non-finite', severity: 'critical', attempt: 1, step: 50, message: 'm', evidence: { loss: 1 } },
    ...{ window: [49, 50], risk: null, divergenceStep: null },
  } satisfies Parameters<typeof raiseAlert>[2];
  const raised = await raiseAlert(db, RUN, finding, NOW);
  const key = { run: RUN, id: raised?.alert.id ?? '' };
  events.length = 0;
  expect(await client.alert.acknowledge.mutate(key)).toMatchObject({ status: 'acknowledged', acknowledgedAt: NOW });
  expect(await client.alert.resolve.mutate(key)).toMatchObject({ status: 'resolved', resolvedAt: NOW });
  expect(await client.alert.resolve.mutate(key)).toMatchObject({ status: 'resolved', resolvedAt: NOW });
  expect(alertEvents()).toEqual([
    ['alert acknowledged', key.id, 'acknowledged', null],
    ['alert resolved', key.id, 'resolved', null],
  ]);
  expect(await client.alert.list.query({ run: RUN, status: ['resolved'] })).toHaveLength(1);
});

test('alerts are listed and counted by a filter, acted on together, noted, and read one by one', async () => {
  const open = async (rule: string, now: Date) => {
    const finding = { severity: 'warning', attempt: 1, step: 60, message: 'm', evidence: {} } as const;
    const raised = await raiseAlert(
      db,
      RUN,
      { ...finding, rule, risk: null, divergenceStep: null, window: [9, 60] },
      now,
    );
    return { run: RUN, id: raised?.alert.id ?? '' };
  };
  const stalled = await open('stalled', new Date(NOW.getTime() - 2 * 3_600_000));
  const spike = await open('loss-spike', NOW);
  const ids = async (query: Parameters<typeof client.alert.list.query>[0]) =>
    (await client.alert.list.query({ status: ['open'], ...query })).map(({ id }) => id);
  expect(await ids({ project: 'p', search: 'N' })).toEqual([spike.id, stalled.id]);
  expect(await ids({ withinHours: 1 })).toEqual([spike.id]);
  expect(await ids({ rule: ['stalled'], severity: 'warning' })).toEqual([stalled.id]);
  expect(await ids({ limit: 1, offset: 1 })).toEqual([stalled.id]);
  expect(await client.alert.count.query({ withinHours: 3 })).toMatchObject({ open: 2, acknowledged: 0 });

  events.length = 0;
  const alerts = [stalled, spike];
  expect(await client.alert.acknowledgeMany.mutate({ alerts })).toHaveLength(2);
  expect(await client.alert.acknowledgeMany.mutate({ alerts })).toEqual([]);
  await client.alert.note.mutate({ ...spike, note: 'shard 7', by: 'ada' });
  expect(await client.alert.resolveMany.mutate({ alerts: [spike] })).toMatchObject([{ note: 'shard 7' }]);
  const [first, second] = alertEvents();
  expect(new Set([first?.[1], second?.[1]])).toEqual(new Set([stalled.id, spike.id]));
  expect(alertEvents()).toEqual([
    ['alert acknowledged', first?.[1], 'acknowledged', null],
    ['alert acknowledged', second?.[1], 'acknowledged', null],
    ['alert noted', spike.id, 'acknowledged', 'shard 7'],
    ['alert resolved', spike.id, 'resolved', 'shard 7'],
  ]);
  expect(await client.alert.get.query(spike)).toMatchObject({
    runName: 'n',
    project: 'p',
    notedBy: 'ada',
    notedAt: NOW,
  });

  events.length = 0;
  const mark = (feedback: 'true' | 'false alarm' | null, by: string | null = null) =>
    client.alert.mark.mutate({ alerts, feedback, by });
  expect(await mark('false alarm', 'ada')).toHaveLength(2);
  expect(await mark('false alarm', 'bob')).toEqual([]);
  expect(await client.alert.get.query(spike)).toMatchObject({
    ...{ feedback: 'false alarm', feedbackBy: 'ada', feedbackAt: NOW },
    ...{ outcome: 'running', onset: null, late: false },
  });
  expect(await mark(null)).toMatchObject([{ feedback: null }, { feedback: null }]);
  expect(alertEvents().map(([kind]) => kind)).toEqual(Array(4).fill('alert marked'));

  const absent = { run: RUN, id: UNKNOWN };
  await expect(client.alert.get.query(absent)).rejects.toMatchObject({ data: { code: 'NOT_FOUND' } });
  await expect(client.alert.note.mutate({ ...spike, note: 'x'.repeat(2_001) })).rejects.toThrow(/^note: /);
  await expect(client.alert.list.query({ rule: ['luck' as never] })).rejects.toThrow(/^rule\.0: /);
  await expect(client.alert.resolveMany.mutate({ alerts: [] })).rejects.toThrow(/^alerts: /);
  const tooMany = Array.from({ length: 1_001 }, () => absent);
  await expect(client.alert.resolveMany.mutate({ alerts: tooMany })).rejects.toThrow(/^alerts: /);
});

test('a chart as of an attempt leaves later ones out', async () => {
  const lastStep = async (attempt?: number) => {
    const chart = await client.step.chart.query({ run: TWICE, columns: 200, attempt });
    return [chart.lastStep, chart.series.loss?.mean.at(-1)];
  };
  const start = { run: TWICE, project: 'p', name: 'twice', startedAt: 1_000 };
  for (const [attempt, first] of [
    [1, 0],
    [2, 30],
  ] as const) {
    await startRun(db, parse(runStart, { ...start, attempt }), NOW);
    const steps = Array.from({ length: 50 }, (_, at) => ({ step: first + at, time: at, loss: attempt }));
    await insertSteps(db, [{ run: TWICE, attempt, steps }], NOW);
  }
  expect(await lastStep()).toEqual([79, 2]);
  expect(await lastStep(1)).toEqual([49, 1]);
  await finishRun(db, { run: TWICE, attempt: 2, status: 'finished', reason: null }, NOW);
  await deleteRun(db, { run: TWICE, name: 'twice' });
});

test('a list takes one status or several, a sort and a configuration value, and its wrong ones are named', async () => {
  const ids = async (query: Parameters<typeof client.run.list.query>[0]) =>
    (await client.run.list.query(query)).runs.map(({ id }) => id);
  expect(await ids({ status: 'running' })).toEqual([RUN]);
  expect(await ids({ status: ['finished', 'lost'] })).toEqual([]);
  const lr = { path: ['lr'], value: '0.0003' };
  expect(await ids({ config: [lr], sort: { by: 'loss', descending: true } })).toEqual([RUN]);
  expect(await client.run.count.query({ config: [{ ...lr, value: '1' }] })).toBe(0);
  expect(await client.run.groups.query({ group: ['lr'], status: 'running' })).toEqual([{ value: '0.0003', runs: 1 }]);
  const hours = (NOW.getTime() - 1_000) / 3_600_000; // since it began
  expect(await ids({ startedWithin: hours + 1, group: ['lr'] })).toEqual([RUN]);
  expect(await client.run.count.query({ startedWithin: hours - 1 })).toBe(0);
  const early = { startedWithin: hours + 1, startedFrom: new Date(2_000) };
  expect(await client.run.groups.query({ ...early, group: ['lr'] })).toEqual([]);
  const sort = { by: 'luck', descending: true } as never;
  await expect(client.run.list.query({ sort })).rejects.toThrow(/^sort\.by: /);
  await expect(client.run.list.query({ risk: 2 })).rejects.toThrow(/^risk: /);
});

test('notes and tags are edited, each by itself, within the limits that a trainer has', async () => {
  events.length = 0;
  await client.run.describe.mutate({ run: RUN, notes: '**seen**', by: 'ada' });
  await client.run.describe.mutate({ run: RUN, tags: ['kept'], by: 'bob' });
  expect(await client.run.get.query({ run: RUN })).toMatchObject({
    ...{ notes: '**seen**', tags: ['kept'], editedBy: 'bob', notesEditedAt: NOW, tagsEditedAt: NOW },
  });
  expect(await client.run.tags.query()).toEqual(['kept']);
  const describe = (wrong: object) => client.run.describe.mutate({ run: RUN, ...wrong });
  await expect(describe({})).rejects.toThrow(/^notes: neither/);
  await expect(describe({ notes: 'x'.repeat(65_537) })).rejects.toThrow(/^notes: /);
  await expect(describe({ notes: 'a\0b' })).rejects.toThrow(/^notes: contains a NUL/);
  await expect(describe({ tags: ['ok', ''] })).rejects.toThrow(/^tags\.1: /);
  await expect(describe({ tags: Array.from({ length: 65 }, (_, at) => `t${at}`) })).rejects.toThrow(/^tags: /);
  await expect(describe({ run: UNKNOWN, notes: 'n' })).rejects.toThrow(/^run: no such run/);
  expect(await client.run.get.query({ run: RUN })).toMatchObject({ notes: '**seen**', tags: ['kept'] });
  const described = { kind: 'run described', run: RUN };
  expect(events).toEqual([described, described]); // what was refused is no news
});

test('a key has its own name in the history, whatever its client types', async () => {
  const finding = { severity: 'warning', attempt: 1, step: 60, message: 'm', evidence: {}, window: [9, 60] } as const;
  const seen = { ...finding, window: [9, 60] satisfies [number, number], risk: null, divergenceStep: null };
  const raised = await raiseAlert(db, RUN, { ...seen, rule: 'grad-variance' }, NOW);
  const alert = { run: RUN, id: raised?.alert.id ?? '' };
  principal = { kind: 'key', id: UNKNOWN, name: 'cluster' };
  try {
    await client.run.describe.mutate({ run: RUN, notes: 'seen', by: 'ada' });
    expect(await client.run.get.query({ run: RUN })).toMatchObject({ notes: 'seen', editedBy: 'cluster' });
    expect(await client.alert.note.mutate({ ...alert, note: 'n', by: 'ada' })).toMatchObject({ notedBy: 'cluster' });
  } finally {
    principal = ANONYMOUS;
  }
  expect(await client.alert.note.mutate({ ...alert, note: 'n', by: 'ada' })).toMatchObject({ notedBy: 'ada' });
  await client.alert.resolve.mutate(alert);
});

test('a run is archived and restored, and deleted only by its name once it does not run', async () => {
  events.length = 0;
  await client.run.archive.mutate({ run: RUN, archived: true, by: 'ada' });
  expect(await client.run.list.query({})).toEqual({ runs: [], nextCursor: null });
  await client.run.archive.mutate({ run: RUN, archived: false });
  expect((await client.run.list.query({})).runs).toHaveLength(1);
  expect((await client.run.history.query({ run: RUN, limit: 2 })).map(({ kind, by }) => [kind, by])).toEqual([
    ['run restored', null],
    ['run archived', 'ada'],
  ]);
  await expect(client.run.delete.mutate({ run: RUN, name: 'm' })).rejects.toThrow(/^name: /);
  await expect(client.run.delete.mutate({ run: RUN, name: 'n' })).rejects.toThrow(/^run: .*stop it first/);
  expect(events).toEqual([true, false].map((archived) => ({ kind: 'run archived', run: RUN, archived })));
});

test('a view is kept, listed and deleted; what it lacks is named', async () => {
  const view = { name: ' by rate ', query: 'group=lr&sort=-risk' };
  const saved = { ...view, name: 'by rate', createdAt: NOW };
  expect(await client.view.save.mutate(view)).toEqual(saved);
  expect(await client.view.list.query()).toEqual([saved]);
  await expect(client.view.save.mutate(view)).rejects.toThrow(/^name: there is a view of this name/);
  await expect(client.view.save.mutate({ ...view, name: '  ' })).rejects.toThrow(/^name: /);
  await expect(client.view.save.mutate({ ...view, query: '' })).rejects.toThrow(/^query: /);
  await expect(client.view.save.mutate({ ...view, query: 'q'.repeat(4_001) })).rejects.toThrow(/^query: /);
  await client.view.delete.mutate({ name: 'by rate' });
  expect(await client.view.list.query()).toEqual([]);
  await expect(client.view.delete.mutate({ name: 'by rate' })).rejects.toThrow(/^name: no such view/);
});

test('a key shows its secret once and never again', async () => {
  const { key, secret } = await client.apiKey.create.mutate({ name: 'lab' });
  expect(secret).toMatch(/^ek-/);
  const listed = await client.apiKey.list.query();
  expect(listed).toMatchObject([{ id: key.id, name: 'lab', revokedAt: null }]);
  expect(JSON.stringify(listed)).not.toContain(secret.slice(3));
  expect(await client.apiKey.revoke.mutate({ id: key.id })).toMatchObject({ revokedAt: NOW });
});

test('each attempt of a run names the key it was sent with, a revoked one too', async () => {
  const [first, second] = [await client.apiKey.create.mutate({ name: 'cluster' }), await createApiKey(db, 'b', NOW)];
  const start = { run: OWNED, attempt: 1, project: 'p', name: 'owned', startedAt: 1_000 };
  await startRun(db, parse(runStart, start), NOW, first.key.id);
  await client.apiKey.revoke.mutate({ id: first.key.id });
  await startRun(db, parse(runStart, { ...start, attempt: 2 }), NOW, second.key.id);
  const { attempts } = await client.run.get.query({ run: OWNED });
  expect(attempts.map(({ keys }) => keys)).toEqual([
    [{ id: first.key.id, name: 'cluster' }],
    [{ id: second.key.id, name: 'b' }],
  ]);
  await finishRun(db, { run: OWNED, attempt: 2, status: 'finished', reason: null }, NOW);
  await deleteRun(db, { run: OWNED, name: 'owned' });
});

test('a step is removed and brought back, which is in the history of the run', async () => {
  const key = { run: RUN, attempt: 1, step: 99 };
  events.length = 0;
  await client.run.removeStep.mutate({ ...key, removed: true, by: 'ada' });
  expect((await client.run.get.query({ run: RUN })).attempts[0]).toMatchObject({ lastStep: 98, removed: [99] });
  await client.run.removeStep.mutate({ ...key, removed: false });
  expect((await client.run.get.query({ run: RUN })).attempts[0]).toMatchObject({ lastStep: 99, removed: [] });
  expect(await client.run.history.query({ run: RUN, limit: 2 })).toMatchObject([
    { kind: 'step restored', step: 99, by: null },
    { kind: 'step removed', step: 99, by: 'ada' },
  ]);
  expect(events).toEqual([true, false].map((removed) => ({ kind: 'step removed', ...key, removed })));
});

test('names of a project are read with what runs reported, and set within their limits', async () => {
  const { project } = await client.run.get.query({ run: RUN });
  expect(await client.project.names.query({ project })).toEqual({ settings: {}, reported: { names: [], total: 0 } });
  const names = { 'my loss': 'loss', loss: null } as const;
  expect(await client.project.setNames.mutate({ project, names })).toEqual(names);
  expect((await client.project.names.query({ project })).settings).toEqual(names);
  const wrong = { project, names: { x: 'luck' } } as unknown as { project: string; names: { x: 'loss' } };
  await expect(client.project.setNames.mutate(wrong)).rejects.toThrow(/^names\.x: /);
  const many = Object.fromEntries(Array.from({ length: MAX_PROJECT_NAMES + 1 }, (_, at) => [`${at}`, null]));
  await expect(client.project.setNames.mutate({ project, names: many })).rejects.toThrow('more than 1000 names');
  for (const call of [
    client.project.setNames.mutate({ project: 'nobody', names }),
    client.project.names.query({ project: 'nobody' }),
  ])
    await expect(call).rejects.toThrow('project: no such project');
});
