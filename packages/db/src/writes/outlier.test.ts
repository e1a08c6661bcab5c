import { expect, test } from 'vitest';
import { readChart } from '../reads/chart.ts';
import { getRun } from '../reads/run.ts';
import { readHistory } from '../reads/run-history.ts';
import { readSignals } from '../reads/signals.ts';
import { describeDatabases } from '../testing.ts';
import { aStep, begin, later, NOW } from '../testing-data.ts';
import { removeStep } from './outlier.ts';
import { rollUp } from './rollup.ts';
import { insertSteps } from './step.ts';

const HUGE = 10_000_000;

describeDatabases('outliers', (db) => {
  async function store(run: string, numbers: number[]): Promise<void> {
    const steps = numbers.map((step) => aStep(step, { loss: 1, time: NOW.getTime() }));
    expect(await insertSteps(db(), [{ run, attempt: 1, steps }], NOW)).toEqual([[]]);
  }
  const range = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at);
  const attemptOf = async (run: string) => (await getRun(db(), run))?.attempts[0];
  const spanOf = async (run: string) => {
    const { firstStep, lastStep, columnSteps } = await readChart(db(), { run, columns: 500 });
    return [firstStep, lastStep, columnSteps];
  };

  test('a step with a huge number is marked and left out of charts, rollups, trials and the latest step', async () => {
    const run = await begin(db());
    await store(run, range(0, 50));
    await store(run, [HUGE]);
    expect(await getRun(db(), run)).toMatchObject({ lastStep: 49 });
    await store(run, range(50, 250));
    await rollUp(db(), run);
    expect(await attemptOf(run)).toMatchObject({ firstStep: 0, lastStep: 299, outliers: [HUGE] });
    expect(await getRun(db(), run)).toMatchObject({ lastStep: 299 });
    expect(await spanOf(run)).toEqual([0, 299, 1]);
    const read: number[] = [];
    for await (const rows of readSignals(db(), { run, from: null })) read.push(...rows.map(({ step }) => step));
    expect(read).toEqual(range(0, 300));
  });

  test('a jump that counted is wrong once three steps fall back below it: charts, bounds and latest step end below it', async () => {
    const run = await begin(db());
    const wrong = aStep(100_000, { loss: 7, time: NOW.getTime() + 9_999_999 }); // by its own clock the latest
    await store(run, range(0, 1_000));
    expect(await insertSteps(db(), [{ run, attempt: 1, steps: [wrong] }], NOW)).toEqual([[]]);
    await rollUp(db(), run);
    expect(await getRun(db(), run)).toMatchObject({ lastStep: 100_000, loss: 7, attempts: [{ outliers: [] }] });
    await store(run, [1_000, 1_001]);
    expect((await spanOf(run)).slice(0, 2)).toEqual([0, 100_000]);
    await store(run, [1_002]);
    expect(await attemptOf(run)).toMatchObject({ firstStep: 0, lastStep: 1_002, outliers: [100_000] });
    expect(await getRun(db(), run)).toMatchObject({ lastStep: 1_002, loss: 1 });
    await store(run, range(1_003, 400));
    await rollUp(db(), run);
    expect((await spanOf(run)).slice(0, 2)).toEqual([0, 1_402]);
    expect(await getRun(db(), run)).toMatchObject({ lastStep: 1_402, loss: 1, attempts: [{ outliers: [100_000] }] });
  });

  test('a young run whose number jumps and falls back is the same in one commit and in several', async () => {
    const numbers = [...range(0, 6), HUGE, ...range(6, 100)];
    for (const size of [1, 7, 200]) {
      const run = await begin(db());
      for (let at = 0; at < numbers.length; at += size) await store(run, numbers.slice(at, at + size));
      expect(await attemptOf(run)).toMatchObject({ firstStep: 0, lastStep: 105, outliers: [HUGE] });
      expect(await getRun(db(), run)).toMatchObject({ lastStep: 105 });
    }
  });

  test('a wrong number that fell back is an outlier again where its removal is undone', async () => {
    const run = await begin(db());
    await store(run, [...range(0, 100), 500, ...range(100, 9)]);
    const known = await attemptOf(run);
    expect(known).toMatchObject({ lastStep: 108, outliers: [500], removed: [] });
    for (const removed of [true, false]) await removeStep(db(), { run, attempt: 1, step: 500, removed, by: null }, NOW);
    expect(await attemptOf(run)).toEqual(known);
  });

  test('further steps that go on from it make it a step like any other', async () => {
    const run = await begin(db());
    await store(run, [...range(0, 50), HUGE]);
    await store(run, [HUGE + 1, HUGE + 2]);
    expect(await attemptOf(run)).toMatchObject({ lastStep: HUGE + 2, outliers: [] });
    expect(await getRun(db(), run)).toMatchObject({ lastStep: HUGE + 2 });
    await rollUp(db(), run);
    expect((await readChart(db(), { run, columns: 500 })).lastStep).toBe(HUGE + 2);
  });

  test('a person removes a step, which is in the history, and brings it back', async () => {
    const run = await begin(db());
    await store(run, [...range(0, 50), HUGE]);
    const key = { run, attempt: 1, step: HUGE };
    await removeStep(db(), { ...key, removed: true, by: 'ada' }, later(1));
    await removeStep(db(), { ...key, removed: true, by: 'bob' }, later(2)); // removed already
    expect(await attemptOf(run)).toMatchObject({ lastStep: 49, outliers: [], removed: [HUGE] });
    await store(run, [HUGE, HUGE + 1, HUGE + 2, HUGE + 3]); // it comes again, and others go on from it
    expect(await attemptOf(run)).toMatchObject({ lastStep: HUGE + 3, outliers: [], removed: [HUGE] });
    await removeStep(db(), { ...key, removed: false, by: null }, later(3));
    expect(await attemptOf(run)).toMatchObject({ lastStep: HUGE + 3, outliers: [], removed: [] });
    expect(await readHistory(db(), { run, limit: 9 })).toMatchObject([
      { kind: 'step restored', step: HUGE, by: null, at: later(3) },
      { kind: 'step removed', step: HUGE, by: 'ada', at: later(1) },
    ]);
  });

  test('a removed outlier that is brought back is an outlier again', async () => {
    const run = await begin(db());
    await store(run, [...range(0, 50), HUGE]);
    for (const removed of [true, false])
      await removeStep(db(), { run, attempt: 1, step: HUGE, removed, by: null }, NOW);
    expect(await attemptOf(run)).toMatchObject({ lastStep: 49, outliers: [HUGE], removed: [] });
  });

  test('a step that was taken for one of the run can be removed: bounds and latest step are those of the others', async () => {
    const run = await begin(db());
    await store(run, [0, 1, HUGE]); // too young a run to know
    expect(await attemptOf(run)).toMatchObject({ lastStep: HUGE, outliers: [] });
    await removeStep(db(), { run, attempt: 1, step: HUGE, removed: true, by: 'ada' }, NOW);
    expect(await getRun(db(), run)).toMatchObject({ lastStep: 1, attempts: [{ firstStep: 0, lastStep: 1 }] });
    expect(await spanOf(run)).toEqual([0, 1, 1]);
  });

  test('a step in the middle is removed from what is rolled up too, and from what sums the run up', async () => {
    const run = await begin(db());
    const steps = range(0, 600).map((step) => aStep(step, { loss: step === 300 || step === 599 ? 1_000 : 1 }));
    await insertSteps(db(), [{ run, attempt: 1, steps }], NOW);
    await rollUp(db(), run);
    const highest = async (columns: number) => {
      const { loss } = (await readChart(db(), { run, columns })).series;
      return Math.max(...(loss?.max ?? loss?.mean ?? []).map(Number));
    };
    for (const step of [300, 599]) await removeStep(db(), { run, attempt: 1, step, removed: true, by: null }, NOW);
    expect([await highest(5), await highest(1_000)]).toEqual([1, 1]);
    expect(await getRun(db(), run)).toMatchObject({ lastStep: 598, loss: 1 });
    for (const step of [300, 599]) await removeStep(db(), { run, attempt: 1, step, removed: false, by: null }, NOW);
    expect([await highest(5), await highest(1_000)]).toEqual([1_000, 1_000]);
    expect(await getRun(db(), run)).toMatchObject({ lastStep: 599, loss: 1_000 });
  });

  test('only a step that the attempt has can be removed', async () => {
    const run = await begin(db());
    const request = { run, attempt: 1, step: 3, removed: true, by: null };
    await expect(removeStep(db(), request, NOW)).rejects.toMatchObject({ field: 'step' });
  });
});
