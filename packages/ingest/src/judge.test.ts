import { randomUUID } from 'node:crypto';
import {
  type Database,
  getRun,
  insertSteps,
  listAlerts,
  markJudged,
  readForecasts,
  resolveAlert,
  startRun,
  writeRules,
} from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import { parse, runStart, type StepEvent } from '@evenkeel/protocol';
import { Detector } from '@evenkeel/stability';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalEventPort } from './event-port.ts';
import { Judge } from './judge.ts';
import { startOf, stepsFrom } from './testing.ts';

let db: Database;
const problems: string[] = [];
beforeAll(async () => {
  db = await openTestDatabase();
});
afterAll(async () => {
  expect(problems).toEqual([]);
  await db.close();
});

function newJudge(now = () => new Date()): Judge {
  const log = (_level: string, message: string, error?: unknown) => problems.push(`${message}: ${error}`);
  return new Judge({ db, now, log, events: new LocalEventPort(log) });
}

async function startedRun(run: string = randomUUID(), attempt = 1): Promise<string> {
  await startRun(db, parse(runStart, startOf(run, attempt)), new Date());
  return run;
}

async function store(run: string, steps: StepEvent[], attempt = 1) {
  const batch = { run, attempt, steps };
  expect(await insertSteps(db, [batch], new Date())).toEqual([[]]);
  return batch;
}

const NAN_FROM = (first: number) => (step: number) => (step >= first ? Number.NaN : 2);

async function alertSteps(run: string): Promise<number[]> {
  const alerts = await listAlerts(db, { run, limit: 100 });
  return alerts.filter((alert) => alert.rule === 'non-finite').map((alert) => alert.step);
}

test('what was stored and not judged before a restart is judged at the next start, once', async () => {
  const run = await startedRun();
  await store(run, stepsFrom(0, 50, NAN_FROM(30)));
  for (let restart = 0; restart < 2; restart++) {
    const judge = newJudge();
    judge.resume(run);
    await judge.close();
  }
  expect(await alertSteps(run)).toEqual([30]);
});

test('an alert that could not be stored is raised once the database is back, without another step', async () => {
  const run = await startedRun();
  const judge = newJudge();
  judge.observe(await store(run, stepsFrom(0, 20)));
  await judge.settled(run);
  await db.sql.execute('alter table alert rename to gone');
  judge.observe(await store(run, stepsFrom(20, 20, NAN_FROM(30))));
  await judge.settled(run);
  expect(problems.splice(0)).toEqual([expect.stringContaining(`judging run ${run} failed`)]);
  await db.sql.execute('alter table gone rename to alert');
  expect(await alertSteps(run)).toEqual([]);
  judge.elapse();
  await judge.settled(run);
  expect(await alertSteps(run)).toEqual([30]);
  await judge.close();
});

test('the alerts of a run that diverges after thousands of steps are stored, whatever its rules remember of them', async () => {
  const run = await startedRun();
  const calm = 4_000;
  const steps = stepsFrom(0, calm + 300, (step) => 3 + Math.exp(-step / 500) + Math.max(0, step - calm) / 500);
  const grown = steps.map((step, at): StepEvent => {
    const past = Math.max(0, at - calm);
    const logTev = 0.5 * Math.log(1 + Math.min(at, calm)) + past ** 2 / 40_000;
    return { ...step, tevMean: Math.exp(logTev) / 1_000, gradNorm: 1 + past / 300, gradVar: 1 };
  });
  await store(run, grown);
  const judge = newJudge();
  judge.resume(run);
  await judge.settled(run);
  await judge.close();
  const alerts = await listAlerts(db, { run, rule: ['tev-growth'], limit: 1 });
  expect(alerts).toMatchObject([{ severity: 'critical', window: [expect.any(Number), expect.any(Number)] }]);
});

test('a run that ended just before a stop is judged to its end', async () => {
  const run = await startedRun();
  const judge = newJudge();
  judge.observe(await store(run, stepsFrom(0, 50, NAN_FROM(40))));
  judge.forget(run);
  await judge.close();
  expect(await alertSteps(run)).toEqual([40]);
});

test('a resolved alert is not raised again by a restart', async () => {
  const run = await startedRun();
  const first = newJudge();
  first.observe(
    await store(
      run,
      stepsFrom(0, 50, (step) => (step === 30 ? Number.NaN : 2)),
    ),
  );
  await first.close();
  const [alert] = await listAlerts(db, { run, limit: 1 });
  await resolveAlert(db, { run, id: alert?.id ?? '' }, new Date());
  const second = newJudge();
  second.resume(run);
  second.observe(await store(run, stepsFrom(50, 5)));
  await second.close();
  expect(await alertSteps(run)).toEqual([30]);
});

test('what is sent again after its alert was resolved raises nothing', async () => {
  const run = await startedRun();
  const isBad = (step: number) => (step === 30 || step === 120 ? Number.NaN : 2);
  const batches = [0, 50, 100, 150].map((first) => stepsFrom(first, 50, isBad));
  const judge = newJudge();
  const sendAll = async () => {
    for (const steps of batches) judge.observe(await store(run, steps));
    judge.forget(run);
    await judge.close();
  };
  await sendAll();
  const [alert] = await listAlerts(db, { run, limit: 1 });
  await resolveAlert(db, { run, id: alert?.id ?? '' }, new Date());
  await sendAll();
  expect(await alertSteps(run)).toEqual([30]);
});

test('the next attempt is judged from where it rewinds to', async () => {
  const run = await startedRun();
  const judge = newJudge();
  judge.observe(await store(run, stepsFrom(0, 100)));
  await startedRun(run, 2);
  judge.observe(await store(run, stepsFrom(50, 20, NAN_FROM(60)), 2));
  await judge.close();
  expect(await alertSteps(run)).toEqual([60]);
});

test('a judge that starts in the middle of a run finds what one that saw it all finds', async () => {
  const run = await startedRun();
  const before = newJudge();
  for (let first = 0; first < 600; first += 60) before.observe(await store(run, stepsFrom(first, 60)));
  await before.close();
  const after = newJudge();
  after.observe(await store(run, stepsFrom(600, 60, NAN_FROM(633))));
  await after.close();
  expect(await alertSteps(run)).toEqual([633]);
});

test('ghosts of a superseded attempt raise nothing, also when they come first after a restart', async () => {
  const run = await startedRun();
  const first = newJudge();
  first.observe(await store(run, stepsFrom(0, 100)));
  await startedRun(run, 2);
  first.observe(await store(run, stepsFrom(50, 100), 2));
  await first.close();
  const second = newJudge();
  second.observe(
    await store(
      run,
      stepsFrom(100, 50, () => Number.NaN),
    ),
  );
  second.observe(await store(run, stepsFrom(150, 10), 2));
  await second.close();
  expect(await alertSteps(run)).toEqual([]);
});

test('ghosts of a superseded attempt are not judged while the newest is being watched', async () => {
  const run = await startedRun();
  const judge = newJudge();
  const judged = async (steps: StepEvent[], attempt: number) => {
    judge.observe(await store(run, steps, attempt));
    await judge.settled(run); // or a judge that only begins would find what comes next in the database
  };
  await judged(stepsFrom(0, 100), 1);
  await startedRun(run, 2);
  await judged(stepsFrom(50, 20), 2);
  // after what attempt 2 has reached: judged as its steps they would raise an alert, and hide the steps that follow
  await judged(stepsFrom(100, 50, NAN_FROM(100)), 1);
  await judged(stepsFrom(70, 20, NAN_FROM(80)), 2);
  await judge.close();
  const alerts = await listAlerts(db, { run, limit: 10 });
  expect(alerts.map(({ attempt, step }) => [attempt, step])).toEqual([[2, 80]]);
});

test('a stored memory of another version is not used: the judge sees the steps again', async () => {
  const run = await startedRun();
  const shaky = (step: number) => 2 + 0.01 * (step % 2);
  const before = newJudge();
  before.observe(await store(run, stepsFrom(0, 100, shaky)));
  await before.close();
  const foreign = { version: 0, step: 99, rules: { 'loss-spike': 'of another shape' } };
  await markJudged(db, { run, attempt: 1, step: 99, detector: foreign });
  const after = newJudge();
  after.observe(
    await store(
      run,
      stepsFrom(100, 10, (step) => (step === 105 ? 9 : shaky(step))),
    ),
  );
  await after.close();
  expect(await story(run)).toEqual(['loss-spike 105 warning open']);
});

/** TEV that grows like the root of the step up to step 200, doubles every 40 steps up to 320, then rests. */
const ramp = (first: number, count: number): StepEvent[] =>
  stepsFrom(first, count).map((event) => {
    const doublings = Math.max(0, Math.min(event.step, 320) - 200) / 40;
    return { ...event, tevMean: 0.02 * Math.min(event.step + 1, 200) ** 0.5 * 2 ** doublings };
  });

async function story(run: string) {
  const alerts = await listAlerts(db, { run, limit: 100 });
  return alerts.map(({ rule, step, severity, status }) => `${rule} ${step} ${severity} ${status}`).sort();
}

test('a judge that is killed between any two batches raises and resolves what one that lives on does', async () => {
  const batches = 40;
  const whole = await startedRun();
  const steady = newJudge();
  for (let at = 0; at < batches; at++) steady.observe(await store(whole, ramp(25 * at, 25)));
  await steady.close();
  expect(await story(whole)).toEqual([expect.stringMatching(/^tev-growth 2\d\d critical resolved$/)]);

  const killed = await startedRun();
  for (let at = 0; at < batches; at++) {
    // Never closed: what it has not stored by itself is lost with it.
    const judge = newJudge();
    judge.observe(await store(killed, ramp(25 * at, 25)));
    await judge.settled(killed);
  }
  expect(await story(killed)).toEqual(await story(whole));
});

test('an attempt goes on with what is known of the one before, also after a restart in between', async () => {
  const run = await startedRun();
  const first = newJudge();
  first.observe(await store(run, ramp(0, 214)));
  await startedRun(run, 2);
  first.observe(await store(run, ramp(212, 1), 2));
  await first.settled(run);
  expect(await story(run)).toEqual([]);
  const second = newJudge();
  second.observe(await store(run, ramp(213, 30), 2));
  await second.close();
  const [alert] = await listAlerts(db, { run, limit: 1 });
  // A detector that began at step 212 could look no further back.
  expect(alert).toMatchObject({ rule: 'tev-growth', window: [expect.any(Number), expect.any(Number)] });
  expect(alert?.window[0]).toBeLessThan(200);
});

test('an alert that is open when another attempt begins resolves, and is raised again by that attempt’s own steps', async () => {
  for (const restarts of [false, true]) {
    const run = await startedRun();
    const first = newJudge();
    first.observe(await store(run, ramp(0, 240)));
    await first.settled(run);
    expect(await story(run)).toEqual([expect.stringMatching(/^tev-growth 2\d\d critical open$/)]);
    await startedRun(run, 2);
    // Never closed where it is killed, and the attempt's first steps come while there is none.
    const second = restarts ? newJudge() : first;
    const steps = await store(run, ramp(230, 60), 2);
    if (restarts) second.resume(run);
    else second.observe(steps);
    await second.close();
    const [again, before] = await listAlerts(db, { run, limit: 9 });
    expect(before).toMatchObject({ attempt: 1, status: 'resolved' });
    expect(again).toMatchObject({ attempt: 2, status: 'open', severity: 'critical' });
    expect(again?.window[0]).toBeGreaterThanOrEqual(230);
  }
});

test('an alert of an attempt that ended resolves when the next begins, whatever its rules are by then', async () => {
  const run = await startedRun();
  const first = newJudge();
  first.observe(await store(run, stepsFrom(0, 600, NAN_FROM(500))));
  first.forget(run);
  await first.close();
  expect(await story(run)).toEqual(['non-finite 500 critical open']);
  const project = (await getRun(db, run))?.project ?? '';
  await writeRules(db, project, { 'non-finite': { resolveSteps: 1 } }, new Date());
  await startedRun(run, 2);
  const second = newJudge();
  second.observe(await store(run, stepsFrom(550, 20, NAN_FROM(560)), 2));
  await second.close();
  await writeRules(db, project, {}, new Date());
  expect(await story(run)).toEqual(['non-finite 500 critical resolved', 'non-finite 560 critical open']);
});

test('an alert that a killed judge opened and one with other limits would not have is resolved', async () => {
  const run = await startedRun();
  const killed = newJudge(); // never closed: what it has not stored is lost with it
  killed.observe(await store(run, ramp(0, 240)));
  await killed.settled(run);
  expect(await story(run)).toEqual([expect.stringMatching(/^tev-growth 2\d\d critical open$/)]);
  const project = (await getRun(db, run))?.project ?? '';
  await writeRules(db, project, { 'tev-growth': { warningMargin: 100, criticalMargin: 100 } }, new Date());
  const after = newJudge();
  after.resume(run);
  await after.close();
  await writeRules(db, project, {}, new Date());
  expect(await story(run)).toEqual([expect.stringMatching(/^tev-growth 2\d\d critical resolved$/)]);
});

test('the risk is stored where it changes or its step has come, the same with a restart in between, and is that of the detector', async () => {
  const whole = await startedRun();
  const steady = newJudge();
  steady.observe(await store(whole, ramp(0, 300)));
  await steady.close();
  const stored = await readForecasts(db, { run: whole, columns: 1_000 });

  const detector = new Detector();
  const said = new Map<number, Detector['forecast']>();
  for (const step of ramp(0, 300)) {
    detector.observe(step);
    said.set(step.step, detector.forecast);
  }
  expect(stored.length).toBeGreaterThan(10);
  for (const [at, { step, risk, divergenceStep }] of stored.entries()) {
    expect({ risk, divergenceStep }).toEqual({
      risk: said.get(step)?.risk,
      divergenceStep: said.get(step)?.divergenceStep,
    });
    const until = stored[at + 1]?.step ?? 300;
    expect(until).toBeLessThanOrEqual(divergenceStep ?? until);
    for (let later = step; later < until; later++)
      expect(Math.abs((said.get(later)?.risk ?? 0) - risk)).toBeLessThan(0.02);
  }
  expect((await getRun(db, whole))?.risk).toBe(stored.at(-1)?.risk);

  const killed = await startedRun();
  for (const first of [0, 150]) {
    const judge = newJudge();
    judge.observe(await store(killed, ramp(first, 150)));
    await judge.close();
  }
  const after = await readForecasts(db, { run: killed, columns: 1_000 });
  expect(after.filter(({ step }) => step !== 150)).toEqual(stored.filter(({ step }) => step !== 150));
});

test('the rules of a run are those of its project, also when they change while it runs, and after a restart', async () => {
  const run = await startedRun();
  const judge = newJudge();
  judge.observe(await store(run, stepsFrom(0, 10)));
  await judge.settled(run);
  const rules = { 'non-finite': { enabled: false } };
  const project = (await getRun(db, run))?.project ?? '';
  await writeRules(db, project, rules, new Date());
  judge.retune('another project', {});
  judge.retune(project, rules);
  judge.observe(await store(run, stepsFrom(10, 10, NAN_FROM(10))));
  await judge.close();
  const after = newJudge();
  after.observe(await store(run, stepsFrom(20, 10, NAN_FROM(20))));
  await after.settled(run);
  expect(await alertSteps(run)).toEqual([]);
  await writeRules(db, project, {}, new Date());
  after.retune(project, {});
  after.observe(await store(run, stepsFrom(30, 1, NAN_FROM(30))));
  await after.close();
  expect(await alertSteps(run)).toEqual([30]);
});

test('a run that falls silent is reported as stalled, by the server’s clock, and resolved by its next step', async () => {
  const run = await startedRun();
  let seconds = 0;
  const judge = newJudge(() => new Date(Date.UTC(2026, 0, 1) + 1_000 * seconds));
  const everySecond = (steps: StepEvent[]) => steps.map((step) => ({ ...step, time: 1_000 * step.step })); // since 1970
  const stalled = async () => {
    await judge.settled(run);
    const alerts = await listAlerts(db, { run, limit: 10 });
    return alerts
      .filter(({ rule }) => rule === 'stalled')
      .map(({ severity, status, step }) => [severity, status, step]);
  };
  judge.observe(await store(run, everySecond(stepsFrom(0, 20))));
  judge.elapse();
  expect(await stalled()).toEqual([]);
  seconds = 61;
  judge.elapse();
  expect(await stalled()).toEqual([['warning', 'open', 19]]);
  seconds = 601;
  judge.elapse();
  expect(await stalled()).toEqual([['critical', 'open', 19]]);
  judge.observe(await store(run, everySecond(stepsFrom(20, 1))));
  expect(await stalled()).toEqual([['critical', 'resolved', 19]]);
  await judge.close();
});

test('a run that fell silent and comes back as its next attempt, after a restart, is not stalled any more', async () => {
  const run = await startedRun();
  let seconds = 0;
  const now = () => new Date(Date.UTC(2026, 0, 1) + 1_000 * seconds);
  const everySecond = (steps: StepEvent[]) => steps.map((step) => ({ ...step, time: 1_000 * step.step }));
  const first = newJudge(now);
  first.observe(await store(run, everySecond(stepsFrom(0, 20))));
  await first.settled(run);
  seconds = 61;
  first.elapse();
  await first.settled(run);
  expect(await story(run)).toEqual(['stalled 19 warning open']);
  await startedRun(run, 2);
  const second = newJudge(now); // the first was killed
  second.observe(await store(run, everySecond(stepsFrom(10, 5)), 2));
  await second.close();
  expect(await story(run)).toEqual(['stalled 19 warning resolved']);
});
