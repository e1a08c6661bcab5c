import { randomUUID } from 'node:crypto';
import { MAX_CUSTOM_SCALARS, MAX_STEP, MAX_TIME, type StepEvent } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { recentSteps } from './recent-steps.ts';
import { getRun, startRun } from './run.ts';
import { insertSteps } from './step.ts';
import { describeDatabases } from './testing.ts';
import { aRun, aStep, begin, later, NOW } from './testing-data.ts';

const ABSENT = {
  loss: null,
  tevMean: null,
  tevStd: null,
  gradVar: null,
  gradNorm: null,
  lr: null,
  tokens: null,
  tevQuantiles: null,
  layerGradVar: null,
  layerOutVar: null,
  custom: null,
};

describeDatabases('steps', (db) => {
  const insert = (run: string, steps: StepEvent[], attempt = 1) => insertSteps(db(), [{ run, attempt, steps }], NOW);
  const all = (run: string) => recentSteps(db(), { run, limit: 10_000 });

  test('a step comes back as it was, non-finite values and absent ones included', async () => {
    const run = await begin(db(), { layers: ['h0', 'h1'] });
    const whole = aStep(0, {
      time: MAX_TIME,
      loss: Number.NaN,
      tevMean: Number.POSITIVE_INFINITY,
      tevStd: Number.NEGATIVE_INFINITY,
      gradVar: 1e300,
      gradNorm: 5e-324,
      lr: -0.1,
      tokens: Number.MAX_SAFE_INTEGER,
      tevQuantiles: [0, 1, 2, 3, 4, 5, 6, 7, Number.NaN],
      layerGradVar: [Number.POSITIVE_INFINITY, 0.5],
      layerOutVar: [Number.NaN, -0.25],
      custom: { 'eval, "loss"': 0.5, 'naïve\\': Number.NaN },
    });
    const steps = [whole, aStep(1), aStep(MAX_STEP, { time: 0, custom: { zero: 0 } })];
    expect(await insert(run, steps)).toEqual([null]);
    expect(await all(run)).toEqual(steps.map((step) => ({ ...ABSENT, ...step })));
  });

  test('values too great or too small for float32 do not break a batch', async () => {
    const run = await begin(db(), { layers: ['h0', 'h1'] });
    const step = aStep(0, { layerGradVar: [1e300, 1e-300], custom: { big: -1e300, small: 1e-300 } });
    expect(await insert(run, [step])).toEqual([null]);
    expect(await all(run)).toMatchObject([
      { layerGradVar: [Number.POSITIVE_INFINITY, 0], custom: { big: Number.NEGATIVE_INFINITY, small: 0 } },
    ]);
  });

  test('an empty array is not an absent one', async () => {
    const run = await begin(db());
    await insert(run, [aStep(0, { layerGradVar: [], layerOutVar: null })]);
    expect(await all(run)).toMatchObject([{ layerGradVar: [], layerOutVar: null }]);
  });

  test('of repeated steps the last wins, within a batch, a group and over time', async () => {
    const run = await begin(db());
    await insert(run, [aStep(1, { loss: 1 }), aStep(1, { loss: 2 })]);
    expect(await all(run)).toMatchObject([{ loss: 2 }]);
    const batches = [3, 4].map((loss) => ({ run, attempt: 1, steps: [aStep(1, { loss })] }));
    await insertSteps(db(), batches, NOW);
    expect(await all(run)).toMatchObject([{ loss: 4 }]);
    await insert(run, [aStep(1, { tevMean: 1 })]);
    expect(await all(run)).toMatchObject([{ loss: null, tevMean: 1 }]);
  });

  test('a refused batch is not stored, names its field and does not hurt the others', async () => {
    const run = await begin(db(), { layers: ['h0', 'h1'] });
    const steps = [aStep(0, { loss: 1 })];
    const refusals = await insertSteps(
      db(),
      [
        { run, attempt: 1, steps },
        { run: randomUUID(), attempt: 1, steps },
        { run, attempt: 2, steps },
        { run, attempt: 1, steps: [aStep(1), aStep(2, { layerGradVar: [1] })] },
        { run, attempt: 1, steps: [aStep(3, { layerOutVar: [1, 2, 3] })] },
        { run, attempt: 1, steps: [aStep(4, { layerGradVar: [1, 2] })] },
      ],
      NOW,
    );
    expect(refusals.map((refusal) => refusal && [refusal.name, refusal.field, refusal.retry])).toEqual([
      null,
      ['RefusedError', 'run', false],
      ['RefusedError', 'attempt', false],
      ['RefusedError', 'steps[1].layerGradVar', false],
      ['RefusedError', 'steps[0].layerOutVar', false],
      null,
    ]);
    expect((await all(run)).map(({ step }) => step)).toEqual([0, 4]);
    expect(await insertSteps(db(), [], NOW)).toEqual([]);
  });

  test('a run has at most 256 custom scalars over its life, and a refused batch adds none', async () => {
    const run = await begin(db());
    const scalars = (count: number, prefix: string) =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`${prefix}${at}`, at]));
    await insert(run, [aStep(0, { custom: scalars(MAX_CUSTOM_SCALARS - 1, 'a') })]);
    const [refusal] = await insert(run, [aStep(1, { custom: { a0: 1 } }), aStep(2, { custom: scalars(2, 'b') })]);
    expect(refusal).toMatchObject({ field: 'steps[1].custom' });
    expect(await insert(run, [aStep(3, { custom: { last: 7, a0: 8 } })])).toEqual([null]);
    expect((await getRun(db(), run))?.customNames).toHaveLength(MAX_CUSTOM_SCALARS);
    expect((await all(run)).at(-1)).toMatchObject({ step: 3, custom: { a0: 8, last: 7 } });
  });

  test('a run is summed up by the newest step of its newest attempt', async () => {
    const start = aRun();
    await startRun(db(), start, NOW);
    const summary = async () => {
      const found = await getRun(db(), start.run);
      return [found?.lastStep, found?.loss, found?.tevMean];
    };
    await insert(start.run, [aStep(9, { loss: 9, tevMean: 0.9 }), aStep(8, { loss: 8 })]);
    expect(await summary()).toEqual([9, 9, 0.9]);
    await insert(start.run, [aStep(5, { loss: 5 })]);
    expect(await summary()).toEqual([9, 9, 0.9]);
    await insert(start.run, [aStep(9, { loss: Number.NaN })]);
    expect(await summary()).toEqual([9, Number.NaN, null]);
    await startRun(db(), { ...start, attempt: 2 }, NOW);
    await insert(start.run, [aStep(10, { loss: 10 })]);
    expect(await summary()).toEqual([9, Number.NaN, null]);
    await insert(start.run, [aStep(3, { loss: 3, tevMean: 0.3 })], 2);
    expect(await summary()).toEqual([3, 3, 0.3]);
    expect((await getRun(db(), start.run))?.attempts).toMatchObject([
      { firstStep: 5, lastStep: 10 },
      { firstStep: 3, lastStep: 3 },
    ]);
  });

  test('the recent steps are those of the timeline, without what was superseded', async () => {
    const start = aRun();
    await startRun(db(), start, NOW);
    await insert(
      start.run,
      [0, 1, 2, 3, 4].map((step) => aStep(step, { loss: 1 })),
    );
    await startRun(db(), { ...start, attempt: 2 }, NOW);
    await insert(
      start.run,
      [2, 3].map((step) => aStep(step, { loss: 2 })),
      2,
    );
    const recent = await recentSteps(db(), { run: start.run, limit: 3 });
    expect(recent.map(({ step, loss }) => [step, loss])).toEqual([
      [1, 1],
      [2, 2],
      [3, 2],
    ]);
    expect(await recentSteps(db(), { run: randomUUID(), limit: 3 })).toEqual([]);
  });

  test('commits of the same runs at once wait for each other', async () => {
    const runs = await Promise.all(Array.from({ length: 6 }, () => begin(db())));
    const group = (order: string[], step: number) =>
      insertSteps(
        db(),
        order.map((run) => ({ run, attempt: 1, steps: [aStep(step)] })),
        later(step),
      );
    await Promise.all(Array.from({ length: 12 }, (_, step) => group(step % 2 ? runs : runs.toReversed(), step)));
    for (const run of runs) expect(await getRun(db(), run)).toMatchObject({ lastStep: 11, heardAt: later(11) });
  });
});
