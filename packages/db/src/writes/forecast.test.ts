import { expect, test } from 'vitest';
import { type ForecastPoint, readForecasts } from '../reads/forecast.ts';
import { getRun } from '../reads/run.ts';
import { describeDatabases } from '../testing.ts';
import { aRun, aStep, begin, later, NOW } from '../testing-data.ts';
import { saveForecasts } from './forecast.ts';
import { startRun } from './run.ts';
import { insertSteps } from './step.ts';

function aPoint(step: number, risk: number): ForecastPoint {
  const isHigh = risk >= 0.5;
  return {
    step,
    risk,
    divergenceStep: isHigh ? step + 80 : null,
    divergenceInterval: isHigh ? [step + 40, step + 99] : null,
  };
}

describeDatabases('forecasts', (db) => {
  const log = (run: string, first: number, last: number, attempt = 1) => {
    const steps = Array.from({ length: last + 1 - first }, (_, at) => aStep(first + at));
    return insertSteps(db(), [{ run, attempt, steps }], NOW);
  };

  test('a run is summed up by its newest forecast, and its next attempt begins without one', async () => {
    const run = await begin(db());
    await log(run, 0, 40);
    await saveForecasts(db(), { run, attempt: 1, points: [aPoint(20, 0.1), aPoint(30, 0.7)] });
    await saveForecasts(db(), { run, attempt: 1, points: [] });
    const { step: _step, ...summary } = aPoint(30, 0.7);
    expect(await getRun(db(), run)).toMatchObject(summary);
    await startRun(db(), aRun({ run, attempt: 2 }), later(1));
    expect(await getRun(db(), run)).toMatchObject({ risk: null, divergenceStep: null, divergenceInterval: null });
  });

  test('what is saved twice stays as it was first', async () => {
    const run = await begin(db());
    await log(run, 0, 40);
    for (const risk of [0.1, 0.9]) await saveForecasts(db(), { run, attempt: 1, points: [aPoint(20, risk)] });
    expect(await readForecasts(db(), { run, columns: 100 })).toEqual([aPoint(20, 0.1)]);
  });

  test('a range comes with what holds at its first step, and follows the timeline through its attempts', async () => {
    const run = await begin(db());
    await log(run, 0, 99);
    await saveForecasts(db(), { run, attempt: 1, points: [20, 40, 60, 80].map((step) => aPoint(step, step / 100)) });
    await startRun(db(), aRun({ run, attempt: 2 }), later(1));
    await log(run, 60, 150, 2);
    await saveForecasts(db(), { run, attempt: 2, points: [aPoint(60, 0.3), aPoint(120, 0.2)] });
    const read = async (from?: number, to?: number, attempt?: number) =>
      (
        await readForecasts(db(), {
          run,
          columns: 500,
          ...(attempt !== undefined && { attempt }),
          ...(from !== undefined && { from }),
          ...(to !== undefined && { to }),
        })
      ).map(({ step, risk }) => [step, risk]);
    expect(await read()).toEqual([
      [20, 0.2],
      [40, 0.4],
      [60, 0.3],
      [120, 0.2],
    ]);
    expect(await read(undefined, undefined, 1)).toEqual([
      [20, 0.2],
      [40, 0.4],
      [60, 0.6],
      [80, 0.8],
    ]);
    expect(await read(50, 59)).toEqual([[40, 0.4]]);
    expect(await read(40, 100)).toEqual([
      [20, 0.2],
      [40, 0.4],
      [60, 0.3],
    ]);
    expect(await read(100, 150)).toEqual([
      [60, 0.3],
      [120, 0.2],
    ]);
  });

  test('the worst of each column is kept where they are more than the columns', async () => {
    const run = await begin(db());
    await log(run, 0, 999);
    const points = Array.from({ length: 1000 }, (_, step) => aPoint(step, ((step * 7919) % 997) / 1000));
    await saveForecasts(db(), { run, attempt: 1, points });
    const read = await readForecasts(db(), { run, columns: 10 });
    const worst = Array.from({ length: 10 }, (_, column) =>
      points.slice(100 * column, 100 * column + 100).reduce((a, b) => (b.risk > a.risk ? b : a)),
    );
    expect(read).toEqual(worst);
  });

  test('a run without steps or forecasts has none', async () => {
    const run = await begin(db());
    expect(await readForecasts(db(), { run, columns: 10 })).toEqual([]);
    await log(run, 0, 5);
    expect(await readForecasts(db(), { run, columns: 10 })).toEqual([]);
  });
});
