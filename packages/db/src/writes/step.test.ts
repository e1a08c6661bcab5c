import { randomUUID } from 'node:crypto';
import {
  type DroppedValue,
  MAX_CUSTOM_SCALARS,
  MAX_STEP,
  MAX_TIME,
  MIN_STEP,
  OTHER_FIELDS,
  STEP_FIELDS,
  type StepEvent,
} from '@evenkeel/protocol';
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { findCustomNames } from '../reads/metric.ts';
import { recentSteps } from '../reads/recent-steps.ts';
import { getRun } from '../reads/run.ts';
import { describeDatabases } from '../testing.ts';
import { aRun, aStep, begin, later, NOW } from '../testing-data.ts';
import { reportDropped } from './dropped.ts';
import { finishRun, startRun } from './run.ts';
import { deleteRun } from './run-removal.ts';
import { insertSteps } from './step.ts';

const ABSENT = Object.fromEntries([...STEP_FIELDS.map(({ name }) => name), 'custom'].map((name) => [name, null]));

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
    expect(await insert(run, steps)).toEqual([[]]);
    expect(await all(run)).toEqual(steps.map((step) => ({ ...ABSENT, ...step })));
  });

  test('values too great or too small for float32 do not break a batch', async () => {
    const run = await begin(db(), { layers: ['h0', 'h1'] });
    const step = aStep(0, { layerGradVar: [1e300, 1e-300], custom: { big: -1e300, small: 1e-300 } });
    expect(await insert(run, [step])).toEqual([[]]);
    expect(await all(run)).toMatchObject([
      { layerGradVar: [Number.POSITIVE_INFINITY, 0], custom: { big: -1e300, small: 1e-300 } },
    ]);
  });

  test('an empty array is not an absent one', async () => {
    const run = await begin(db());
    await insert(run, [aStep(0, { layerGradVar: [], layerOutVar: null })]);
    expect(await all(run)).toMatchObject([{ layerGradVar: [], layerOutVar: null }]);
  });

  test('a step that is sent again is merged with, within a batch, a group and over time', async () => {
    const run = await begin(db(), { layers: ['h0', 'h1'] });
    await insert(run, [aStep(1, { loss: 1, lr: 0.5 }), aStep(1, { loss: 2, custom: { a: 1, b: 2 } })]);
    expect(await all(run)).toMatchObject([{ loss: 2, lr: 0.5, custom: { a: 1, b: 2 } }]);
    const batches = [3, 4].map((loss) => ({ run, attempt: 1, steps: [aStep(1, { loss, custom: { b: loss } })] }));
    await insertSteps(db(), batches, NOW);
    expect(await all(run)).toMatchObject([{ loss: 4, lr: 0.5, custom: { a: 1, b: 4 } }]);
    await insert(run, [aStep(1, { time: NOW.getTime() + 900, tevMean: 1, layerGradVar: [1, 2] })]);
    await insert(run, [aStep(1, { custom: { a: 5, c: 6 } })]);
    const merged = { time: NOW.getTime() + 1, loss: 4, lr: 0.5, tevMean: 1, layerGradVar: [1, 2] };
    expect(await all(run)).toMatchObject([{ ...merged, custom: { a: 5, b: 4, c: 6 } }]);
  });

  test('new steps and more of stored ones go in one batch, also where the attempt does not know how far its steps go', async () => {
    for (const forgotten of [false, true]) {
      const run = await begin(db());
      await insert(
        run,
        [1, 2, 3].map((step) => aStep(step, { loss: step, custom: { a: step } })),
      );
      if (forgotten) await db().sql.execute(sql`update attempt set last_step = 1 where run = ${run}::uuid`);
      expect(await insert(run, [aStep(4, { loss: 4 }), aStep(3, { lr: 0.5, custom: { b: 1 } })])).toEqual([[]]);
      const stored = await all(run);
      expect(stored.map(({ step, loss }) => [step, loss])).toEqual([1, 2, 3, 4].map((step) => [step, step]));
      expect(stored[2]).toMatchObject({ lr: 0.5, custom: { a: 3, b: 1 } });
      expect((await getRun(db(), run))?.attempts).toMatchObject([{ firstStep: 1, lastStep: 4 }]);
    }
  });

  test('training and evaluation of one step in two calls keep both, in either order', async () => {
    for (const turned of [false, true]) {
      const run = await begin(db());
      const parts = [aStep(0, { loss: 1 }), aStep(0, { custom: { evalLoss: 1 } })];
      for (const part of turned ? parts.toReversed() : parts) await insert(run, [part]);
      expect(await all(run)).toMatchObject([{ step: 0, loss: 1, custom: { evalLoss: 1 } }]);
    }
  });

  test('steps may be negative, and steps of one run may lie on both sides of zero', async () => {
    const run = await begin(db());
    const steps = [MIN_STEP, -200, -1, 0, 1].map((step) => aStep(step, { time: NOW.getTime(), loss: 1 }));
    expect(await insert(run, steps)).toEqual([[]]);
    expect((await all(run)).map(({ step }) => step)).toEqual([MIN_STEP, -200, -1, 0, 1]);
    expect((await getRun(db(), run))?.attempts).toMatchObject([{ firstStep: MIN_STEP, lastStep: 1 }]);
  });

  test('a refused batch is not stored, names its field and does not hurt the others', async () => {
    const run = await begin(db());
    const steps = [aStep(0, { loss: 1 })];
    const results = await insertSteps(
      db(),
      [
        { run, attempt: 1, steps },
        { run: randomUUID(), attempt: 1, steps },
        { run, attempt: 2, steps },
        { run, attempt: 1, steps: [aStep(4)] },
      ],
      NOW,
    );
    const refusal = (field: string) => expect.objectContaining({ name: 'RefusedError', field, retry: false });
    expect(results).toEqual([[], refusal('run'), refusal('attempt'), []]);
    expect((await all(run)).map(({ step }) => step)).toEqual([0, 4]);
    expect(await insertSteps(db(), [], NOW)).toEqual([]);
  });

  test('a value that the run cannot have costs itself, is reported, and counted with the run', async () => {
    const run = await begin(db(), { layers: ['h0', 'h1'] });
    const wrong = [
      aStep(1, { loss: 1, layerGradVar: [1] }),
      aStep(2, { layerGradVar: [1, 2, 3], layerOutVar: [1, 2] }),
    ];
    const count = (count: number) => ({ field: 'layerGradVar', reason: 'wrong length', count });
    expect(await insert(run, wrong)).toEqual([[count(2)]]);
    expect(await all(run)).toMatchObject([
      { loss: 1, layerGradVar: null },
      { layerGradVar: null, layerOutVar: [1, 2] },
    ]);
    const before = [{ field: 'loss', reason: 'not a number', count: 7 }];
    await insertSteps(db(), [{ run, attempt: 1, steps: wrong, dropped: before }], NOW);
    await insertSteps(db(), [{ run, attempt: 1, steps: [], dropped: before }], NOW);
    expect((await getRun(db(), run))?.dropped).toEqual([{ ...before[0], count: 14 }, count(4)]);
  });

  test('what is left out of thousands of fields is counted together', async () => {
    const run = await begin(db());
    const dropped = (prefix: string) =>
      Array.from({ length: 900 }, (_, at) => ({ field: `custom.${prefix}${at}`, reason: 'not a number', count: 1 }));
    for (const prefix of ['a', 'a', 'b']) {
      await insertSteps(db(), [{ run, attempt: 1, steps: [], dropped: dropped(prefix) }], NOW);
    }
    const found = (await getRun(db(), run))?.dropped ?? [];
    expect(found).toHaveLength(901);
    expect(found[0]).toEqual({ field: OTHER_FIELDS, reason: 'not a number', count: 900 });
    expect(found.slice(1).every(({ count }) => count === 2)).toBe(true);
  });

  const session = (letter: string) => letter.repeat(8);
  const lossLeftOut = (count: number) => [{ field: 'loss', reason: 'not a number', count }];

  test('what clients left out adds up with what the server did, however often they report it', async () => {
    const run = await begin(db());
    await insertSteps(db(), [{ run, attempt: 1, steps: [], dropped: lossLeftOut(1) }], NOW);
    const report = (source: string, values: DroppedValue[]) => reportDropped(db(), { run, attempt: 1, source, values });
    expect(await report(session('a'), lossLeftOut(2))).toBe(true);
    expect(await report(session('a'), [...lossLeftOut(3), { field: 'lr', reason: 'not a number', count: 1 }])).toBe(
      true,
    );
    expect(await report(session('a'), lossLeftOut(2))).toBe(false); // an older message that comes late
    expect(await report(session('b'), lossLeftOut(10))).toBe(true);
    expect((await getRun(db(), run))?.dropped).toEqual([
      { field: 'loss', reason: 'not a number', count: 14 },
      { field: 'lr', reason: 'not a number', count: 1 },
    ]);
  });

  test('what clients left out of thousands of fields is counted together too', async () => {
    const run = await begin(db());
    const values = (prefix: string) =>
      Array.from({ length: 1_000 }, (_, at) => ({ field: `custom.${prefix}${at}`, reason: 'not a number', count: 1 }));
    for (const prefix of ['a', 'b']) {
      await reportDropped(db(), { run, attempt: 1, source: session(prefix), values: values(prefix) });
    }
    const found = await getRun(db(), run);
    expect(found?.droppedValues).toBe(2_000);
    expect(found?.dropped[0]).toEqual({ field: OTHER_FIELDS, reason: 'not a number', count: 1_000 });
  });

  test('what was left out of no attempt is refused', async () => {
    const run = await begin(db());
    const report = { source: session('a'), values: lossLeftOut(1) };
    await expect(reportDropped(db(), { ...report, run, attempt: 2 })).rejects.toMatchObject({ field: 'attempt' });
    await expect(reportDropped(db(), { ...report, run: randomUUID(), attempt: 1 })).rejects.toMatchObject({
      field: 'run',
    });
  });

  const scalars = (count: number, prefix: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`${prefix}${at}`, at]));

  test('names of custom scalars are found by any part of them, in order, and counted beyond the limit', async () => {
    const run = await begin(db());
    const names = ['loss/b', 'Loss/a', '50 %', 'evalLoss', 'ü', 'speed'];
    await insert(run, [aStep(0, { custom: Object.fromEntries(names.map((name) => [name, 1])) })]);
    await insert(await begin(db()), [aStep(0, { custom: { 'loss of another run': 1 } })]);
    const find = (search: string | undefined, limit = 9) =>
      findCustomNames(db(), { run, search, without: ['evalLoss'], limit });
    expect(await find('loss')).toEqual({ names: ['Loss/a', 'loss/b'], total: 2 });
    expect(await find('%')).toEqual({ names: ['50 %'], total: 1 });
    expect(await find('none')).toEqual({ names: [], total: 0 });
    expect(await find(undefined, 3)).toEqual({ names: ['50 %', 'Loss/a', 'loss/b'], total: 5 });
    expect((await find(undefined)).names.slice(3)).toEqual(['speed', 'ü']);
    const limit = 9;
    expect(await findCustomNames(db(), { run, prefix: 'loss/', limit })).toEqual({ names: ['loss/b'], total: 1 });
    expect((await findCustomNames(db(), { run, notPrefix: 'loss/', limit })).total).toBe(5);
    expect((await findCustomNames(db(), { run, prefix: '50 %', limit })).names).toEqual(['50 %']);
  });

  test('a run has thousands of custom scalars, and further ones are left out', async () => {
    const run = await begin(db());
    await insert(run, [aStep(0, { custom: scalars(MAX_CUSTOM_SCALARS - 1, 'a') })]);
    const beyond = { field: 'custom.b1', reason: 'too many names', count: 1 };
    expect(await insert(run, [aStep(1, { custom: { a0: 1 } }), aStep(2, { custom: scalars(2, 'b') })])).toEqual([
      [beyond],
    ]);
    expect(await insert(run, [aStep(3, { custom: { b0: 7, a0: 8 } })])).toEqual([[]]);
    expect(await findCustomNames(db(), { run, limit: 1 })).toEqual({ names: ['a0'], total: MAX_CUSTOM_SCALARS });
    expect((await all(run)).slice(1)).toMatchObject([
      { custom: { a0: 1 } },
      { custom: { b0: 0 } },
      { step: 3, custom: { a0: 8, b0: 7 } },
    ]);
  });

  test('steps that each report other names are kept without a new set of names for each', async () => {
    const run = await begin(db());
    const steps = Array.from({ length: 1_100 }, (_, step) =>
      aStep(step, { custom: { [`n${step % 40}`]: step, [`m${step % 37}`]: -step, [`k${step % 3}`]: 0.1 } }),
    );
    await insert(run, steps);
    expect(await all(run)).toEqual(steps.map((step) => ({ ...ABSENT, ...step })));
    const { rows } = await db().sql.execute<{ sets: number }>(
      sql`select count(*)::int as sets from scalar_set where run = ${run}`,
    );
    expect(rows[0]?.sets).toBeLessThanOrEqual(1_000 + 40 + 37 + 3);
  });

  test('names are known again by a process that did not see them, and those of a deleted run are forgotten', async () => {
    const id = randomUUID();
    for (const prefix of ['first', 'second']) {
      await startRun(db(), aRun({ run: id }), NOW);
      await insert(id, [aStep(0, { custom: scalars(3, prefix) })]);
      await insert(id, [aStep(1, { custom: scalars(3, prefix) })]);
      expect((await all(id)).map(({ custom }) => custom)).toEqual([scalars(3, prefix), scalars(3, prefix)]);
      await finishRun(db(), { run: id, attempt: 1, status: 'finished', reason: null }, NOW);
      await deleteRun(db(), { run: id, name: 'even' });
    }
  });

  test('every field of a step has a column that keeps it', async () => {
    const run = await begin(db(), { layers: ['h0', 'h1'] });
    const value = ({ name, kind, bit }: (typeof STEP_FIELDS)[number]) =>
      kind !== 'array' ? bit + 1 : name === 'tevQuantiles' ? Array.from({ length: 9 }, (_, at) => at) : [bit, 0.5];
    const fields = Object.fromEntries(STEP_FIELDS.map((field) => [field.name, value(field)]));
    await insert(run, [aStep(7, fields)]);
    expect(await all(run)).toMatchObject([fields]);
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
    expect(await summary()).toEqual([9, Number.NaN, 0.9]);
    await startRun(db(), { ...start, attempt: 2 }, NOW);
    await insert(start.run, [aStep(10, { loss: 10 })]);
    expect(await summary()).toEqual([9, Number.NaN, 0.9]);
    await insert(start.run, [aStep(3, { loss: 3, tevMean: 0.3 })], 2);
    expect(await summary()).toEqual([3, 3, 0.3]);
    expect((await getRun(db(), start.run))?.attempts).toMatchObject([
      { firstStep: 5, lastStep: 10 },
      { firstStep: 3, lastStep: 3 },
    ]);
  });

  test('one step with a wrong, huge number does not freeze what is newest of the run', async () => {
    const run = await begin(db());
    const time = NOW.getTime();
    await insert(run, [aStep(49, { time, loss: 3 }), aStep(10_000_000, { time: time + 10, loss: 2.9 })]);
    await insert(run, [aStep(50, { time: time + 20, loss: 2.8 })]);
    expect(await getRun(db(), run)).toMatchObject({ lastStep: 50, loss: 2.8 });
  });

  test('a run is summed up the same, however its reports are split and in whatever order they arrive', async () => {
    const time = NOW.getTime();
    const reports = [
      aStep(1, { time, loss: 1, tevMean: 0.1 }),
      aStep(2, { time: time + 1, loss: 2 }),
      aStep(3, { time: time + 2, custom: { evalLoss: 9 } }),
      aStep(2, { time: time + 3, tevMean: 0.2 }),
    ];
    for (const turn of [0, 1, 2, 3]) {
      const turned = [...reports.slice(turn), ...reports.slice(0, turn)];
      for (const size of [1, 2, 4]) {
        const run = await begin(db());
        for (let from = 0; from < 4; from += size) await insert(run, turned.slice(from, from + size));
        expect(await getRun(db(), run)).toMatchObject({ lastStep: 2, loss: 2, tevMean: 0.2 });
      }
    }
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
    const before = await recentSteps(db(), { run: start.run, limit: 2, asOf: 1 });
    expect(before.map(({ step, loss }) => [step, loss])).toEqual([
      [3, 1],
      [4, 1],
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
    for (const run of runs) expect(await getRun(db(), run)).toMatchObject({ lastStep: 11, lastSeenAt: later(11) });
  });
});
