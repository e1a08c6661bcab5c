import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Database } from '../database.ts';
import { judgedTo, runsToJudge } from '../reads/judged.ts';
import { describeDatabases } from '../testing.ts';
import { aRun, aStep, begin, NOW } from '../testing-data.ts';
import { saveForecasts } from './forecast.ts';
import { markJudged, rewindJudged } from './judged.ts';
import { finishRun, startRun } from './run.ts';
import { insertSteps } from './step.ts';

const insert = (db: Database, run: string, step: number, attempt = 1) =>
  insertSteps(db, [{ run, attempt, steps: [aStep(step)] }], NOW);

describeDatabases('judged steps', (db) => {
  test('how far an attempt was judged never goes back', async () => {
    const run = await begin(db());
    expect(await judgedTo(db(), run)).toEqual({
      attempt: 1,
      judgedTo: null,
      detector: null,
      bounds: { first: null, last: null, outliers: [], jumps: [] },
      removed: [],
      risk: null,
      divergenceStep: null,
    });
    await insert(db(), run, 7);
    expect(await judgedTo(db(), run)).toEqual({
      attempt: 1,
      judgedTo: null,
      detector: null,
      bounds: { first: 7, last: 7, outliers: [], jumps: [{ from: null, beyond: [7], back: [] }] },
      removed: [],
      risk: null,
      divergenceStep: null,
    });
    await markJudged(db(), { run, attempt: 1, step: null, detector: { at: null } });
    expect(await judgedTo(db(), run)).toMatchObject({ judgedTo: null, detector: { at: null } });
    await markJudged(db(), { run, attempt: 1, step: 7, detector: { at: 7 } });
    await markJudged(db(), { run, attempt: 1, step: 3, detector: { at: 3 } });
    await markJudged(db(), { run, attempt: 1, step: null, detector: { at: null } });
    expect(await judgedTo(db(), run)).toEqual({
      attempt: 1,
      judgedTo: 7,
      detector: { at: 7 },
      bounds: { first: 7, last: 7, outliers: [], jumps: [{ from: null, beyond: [7], back: [] }] },
      removed: [],
      risk: null,
      divergenceStep: null,
    });
    expect(await judgedTo(db(), randomUUID())).toBeNull();
  });

  test('each attempt is judged for itself, and the newest one counts', async () => {
    const start = aRun();
    await startRun(db(), start, NOW);
    await startRun(db(), { ...start, attempt: 2 }, NOW);
    await insert(db(), start.run, 2 ** 40, 1);
    expect(await runsToJudge(db())).not.toContain(start.run);
    await insert(db(), start.run, 5, 2);
    expect(await runsToJudge(db())).toContain(start.run);
    await markJudged(db(), { run: start.run, attempt: 2, step: 5, detector: 2 });
    await markJudged(db(), { run: start.run, attempt: 1, step: 2 ** 40, detector: 1 });
    expect(await judgedTo(db(), start.run)).toEqual({
      attempt: 2,
      judgedTo: 5,
      detector: 2,
      bounds: { first: 5, last: 5, outliers: [], jumps: [{ from: null, beyond: [5], back: [] }] },
      removed: [],
      risk: null,
      divergenceStep: null,
    });
    expect(await runsToJudge(db())).not.toContain(start.run);
  });

  test('the runs to judge are those with later steps, ended or not, the youngest first', async () => {
    const [old, young, judged] = [
      await begin(db()),
      await begin(db(), { startedAt: NOW.getTime() + 1 }),
      await begin(db()),
    ];
    await begin(db());
    for (const run of [old, young, judged]) await insert(db(), run, 0);
    await markJudged(db(), { run: judged, attempt: 1, step: 0, detector: null });
    await finishRun(db(), { run: young, attempt: 1, status: 'finished', reason: null }, NOW);
    expect(await runsToJudge(db())).toEqual([young, old]);
    await insert(db(), judged, 1);
    expect(await runsToJudge(db())).toContain(judged);
  });

  test('what was judged since a wrong step came is judged again, and its forecasts are gone', async () => {
    const run = await begin(db());
    const numbers = [0, 1, 2, 900, 3, 4];
    const steps = numbers.map((step, at) => aStep(step, { time: NOW.getTime() + at }));
    await insertSteps(db(), [{ run, attempt: 1, steps }], NOW);
    const points = [1, 900].map((step) => ({
      step,
      risk: step / 1_000,
      divergenceStep: null,
      divergenceInterval: null,
    }));
    await saveForecasts(db(), { run, attempt: 1, points });
    await markJudged(db(), { run, attempt: 1, step: 900, detector: { at: 900 } });
    await rewindJudged(db(), { run, attempt: 1, step: 900 });
    expect(await judgedTo(db(), run)).toMatchObject({ judgedTo: 2, detector: null, risk: 0.001 });
    await markJudged(db(), { run, attempt: 1, step: 2, detector: { at: 2 } });
    await rewindJudged(db(), { run, attempt: 1, step: 900 }); // nothing was judged since
    expect(await judgedTo(db(), run)).toMatchObject({ judgedTo: 2, detector: { at: 2 } });
    await rewindJudged(db(), { run, attempt: 1, step: 0 });
    expect(await judgedTo(db(), run)).toMatchObject({
      judgedTo: null,
      detector: null,
      risk: null,
      divergenceStep: null,
    });
  });

  test('a run that was judged to a step which is none any more is judged at the next start', async () => {
    const run = await begin(db());
    const store = async (...numbers: number[]) => {
      for (const step of numbers) await insert(db(), run, step);
    };
    await store(0, 1, 2, 900);
    await markJudged(db(), { run, attempt: 1, step: 900, detector: null });
    expect(await runsToJudge(db())).not.toContain(run);
    await store(3, 4, 5);
    expect(await runsToJudge(db())).toContain(run);
  });
});
