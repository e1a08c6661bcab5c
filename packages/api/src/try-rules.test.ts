import { randomUUID } from 'node:crypto';
import { archiveRun, type Database, finishRun, insertSteps, raiseAlert, startRun } from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import { ANONYMOUS, parse, runStart, type StepEvent } from '@evenkeel/protocol';
import type { RuleSettings } from '@evenkeel/stability';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { createCaller } from './router.ts';
import type { TriedRun } from './try-rules.ts';

const NOW = new Date('2026-01-02T03:04:05Z');
const databases: Database[] = [];
let db: Database;
let caller: ReturnType<typeof createCaller>;

beforeEach(async () => {
  db = await openTestDatabase();
  databases.push(db);
  const command = () => expect.fail('no command was given');
  caller = createCaller({ db, now: () => NOW, command, principal: ANONYMOUS, events: { publish: () => {} } });
});
afterAll(() => Promise.all(databases.map((database) => database.close())));

let started = 0;

async function aRun(name: string, loss: (step: number) => number, steps = 500): Promise<string> {
  const run = randomUUID();
  const start = { run, attempt: 1, project: 'lab', name, startedAt: 1_000 * ++started };
  await startRun(db, parse(runStart, start), NOW);
  const events: StepEvent[] = Array.from({ length: steps }, (_, step) => ({ step, time: step, loss: loss(step) }));
  for (let first = 0; first < steps; first += 4_000) {
    await insertSteps(db, [{ run, attempt: 1, steps: events.slice(first, first + 4_000) }], NOW);
  }
  return run;
}

/** Swings by 0.1 around 3, so that its standard deviation is 0.1. */
const even = (step: number) => 3 + (step % 2 ? 0.1 : -0.1);
/** With a jump of so many of those at step 300. */
const jumping = (sigmas: number) => (step: number) => (step === 300 ? 3 + 0.1 * sigmas : even(step));
const breaking = (step: number) => (step < 400 ? even(step) : Number.NaN);

const tryRules = (settings: RuleSettings, more: { runs?: number; cursor?: number } = {}) =>
  caller.project.tryRules({ project: 'lab', settings, ...more });

const stepsOf = ({ rules }: TriedRun, rule: 'loss-spike' | 'non-finite' = 'loss-spike') =>
  rules[rule].tried.alerts.map(({ step, severity }) => `${step} ${severity}`);

test('what a rule finds with other settings is listed by run, the newest first', async () => {
  await aRun('even', even);
  await aRun('small jump', jumping(5));
  await aRun('great jump', jumping(8));
  const found = async (settings: RuleSettings) =>
    (await tryRules(settings)).runs.map((run) => [run.name, ...stepsOf(run)]);
  expect(await found({})).toEqual([['great jump', '300 warning'], ['small jump'], ['even']]);
  expect(await found({ 'loss-spike': { sigmas: 4 } })).toEqual([
    ['great jump', '300 warning'],
    ['small jump', '300 warning'],
    ['even'],
  ]);
  expect(await found({ 'loss-spike': { enabled: false } })).toEqual([['great jump'], ['small jump'], ['even']]);
  expect((await caller.project.rules({ project: 'lab' })).settings).toEqual({});
});

test('a run comes with its outcome, and with the alerts that it had', async () => {
  const run = await aRun('broken', breaking);
  const finding = { message: 'm', evidence: {}, risk: null, divergenceStep: null, attempt: 1 } as const;
  const had = { ...finding, severity: 'warning', step: 120 } as const;
  for (const rule of ['loss-spike', 'stalled'] as const) {
    await raiseAlert(db, run, { ...had, rule, window: [0, 120] }, NOW);
  }
  await finishRun(db, { run, attempt: 1, status: 'failed', reason: null }, NOW);
  const answer = await tryRules({});
  expect(answer).toMatchObject({ of: 1, nextCursor: null, maxSteps: 200_000 });
  const [tried] = answer.runs;
  expect(tried).toMatchObject({ id: run, status: 'failed', divergedAt: 400, lastStep: 499, triedFrom: null });
  expect(tried?.rules['loss-spike']).toEqual({
    tried: { count: 0, worst: null, alerts: [] },
    had: { count: 1, worst: 'warning', alerts: [{ attempt: 1, step: 120, severity: 'warning' }] },
  });
  expect(tried && stepsOf(tried, 'non-finite')).toEqual(['400 critical']);
});

test('of many alerts the first are listed and all are counted', async () => {
  await aRun('restless', (step) => (step % 10 ? even(step) : Number.NaN), 1_000);
  const [run] = (await tryRules({ 'non-finite': { resolveSteps: 0, cooldownSteps: 0 } })).runs;
  expect(run?.rules['non-finite'].tried.count).toBe(100);
  expect(run?.rules['non-finite'].tried.alerts.map(({ step }) => step)).toEqual(
    Array.from({ length: 20 }, (_, at) => 10 * at),
  );
});

test('as many runs are tried as were asked for, none that is archived or of another project', async () => {
  for (const name of ['a', 'b', 'c', 'd']) await aRun(name, even, 10);
  await archiveRun(db, { run: await aRun('archived', even, 10), archived: true, by: null }, NOW);
  const start = { run: randomUUID(), attempt: 1, project: 'other', name: 'elsewhere', startedAt: 1_000 * ++started };
  await startRun(db, parse(runStart, start), NOW);
  const names = ({ runs }: { runs: TriedRun[] }) => runs.map(({ name }) => name);
  expect(names(await tryRules({}))).toEqual(['d', 'c', 'b', 'a']);
  const three = await tryRules({}, { runs: 3, cursor: 1 });
  expect(names(three)).toEqual(['c', 'b']);
  expect(three).toMatchObject({ of: 3, nextCursor: null });
});

test('a long run is tried from where its newest 200,000 steps begin, and the answer after it goes on', async () => {
  await aRun('short', even, 10);
  const long = await aRun('long', jumping(8), 201_000);
  const early = { attempt: 1, step: 300, message: 'm', evidence: {}, risk: null, divergenceStep: null } as const;
  await raiseAlert(db, long, { ...early, rule: 'loss-spike', severity: 'warning', window: [0, 300] }, NOW);
  const answer = await tryRules({});
  expect(answer).toMatchObject({ of: 2, nextCursor: 1 });
  expect(answer.runs).toMatchObject([{ name: 'long', triedFrom: { attempt: 1, step: 1_000 } }]);
  expect(answer.runs[0]?.rules['loss-spike']).toMatchObject({ tried: { count: 0 }, had: { count: 0 } });
  const rest = await tryRules({}, { cursor: 1 });
  expect(rest).toMatchObject({ of: 2, nextCursor: null, runs: [{ name: 'short', triedFrom: null }] });
});

test('steps are stored while runs are tried', async () => {
  for (let at = 0; at < 3; at++) await aRun(`run ${at}`, even, 20_000);
  const run = await aRun('live', even, 10);
  let isTried = false;
  const trial = tryRules({}).then(() => {
    isTried = true;
  });
  let stored = 0;
  for (let step = 10; !isTried; step++) {
    await insertSteps(db, [{ run, attempt: 1, steps: [{ step, time: step, loss: 1 }] }], NOW);
    stored++;
  }
  await trial;
  // One connection serves both in turn: of sixty chunks, an insert waits for a few.
  expect(stored).toBeGreaterThan(10);
});

test('settings that make no sense and unknown projects are refused', async () => {
  await aRun('even', even, 10);
  const wrong = caller.project.tryRules({ project: 'lab', settings: { 'tev-growth': { warningMargin: 0.9 } } });
  await expect(wrong).rejects.toThrow(/must not be below/);
  await expect(caller.project.tryRules({ project: 'nobody', settings: {} })).rejects.toThrow(/^project: no such/);
  await expect(tryRules({}, { runs: 101 })).rejects.toThrow(/runs/);
});
