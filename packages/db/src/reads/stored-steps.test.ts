import { mergeStep, STEP_FIELDS, type StepEvent } from '@evenkeel/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Database } from '../database.ts';
import { describeDatabases } from '../testing.ts';
import { aRun, aStep, begin, NOW } from '../testing-data.ts';
import { removeStep } from '../writes/outlier.ts';
import { startRun } from '../writes/run.ts';
import { insertSteps } from '../writes/step.ts';
import { readStoredSteps, type StepColumn, type StoredStep, type StoredStepsQuery } from './stored-steps.ts';

const FIELDS: StepColumn[] = STEP_FIELDS.map(({ name }) => ({ field: name }));
const number = fc.oneof(fc.double(), fc.constantFrom(0, -1.5, Number.NaN, Infinity, -Infinity));
const NAMES = ['acc', 'eval/loss', 'x,"y"', 'constructor', 'loss'];
const report = fc.record(
  { loss: number, lr: number, custom: fc.dictionary(fc.constantFrom(...NAMES), number, { maxKeys: 4 }) },
  { requiredKeys: [] },
);

async function readAll(db: Database, query: StoredStepsQuery): Promise<StoredStep[]> {
  const rows: StoredStep[] = [];
  for await (const chunk of readStoredSteps(db, query)) rows.push(...chunk);
  return rows;
}

/** A step as the reports say, one value after another. */
function valuesOf(event: StepEvent, columns: readonly StepColumn[]) {
  return columns.map((column) =>
    'field' in column
      ? (event[column.field] ?? null)
      : (new Map(Object.entries(event.custom ?? {})).get(column.custom) ?? null),
  );
}

describeDatabases('stored steps', (db) => {
  const insert = (run: string, steps: StepEvent[], attempt = 1) => insertSteps(db(), [{ run, attempt, steps }], NOW);

  test('every field comes back as it was stored, and null where a step does not carry it', async () => {
    const run = await begin(db(), { layers: ['h0', 'h1'] });
    const whole = aStep(-3, {
      loss: Number.NaN,
      tevMean: Number.POSITIVE_INFINITY,
      gradVar: 1e300,
      gradNorm: 5e-324,
      tokens: Number.MAX_SAFE_INTEGER,
      tevQuantiles: [0, 1, 2, 3, 4, 5, 6, 7, Number.NaN],
      layerGradVar: [Number.NEGATIVE_INFINITY, 0.5],
    });
    await insert(run, [whole, aStep(8)]);
    const rows = await readAll(db(), { run, columns: FIELDS });
    expect(rows.map(({ step, time, attempt }) => [step, time, attempt])).toEqual([
      [-3, whole.time, 1],
      [8, aStep(8).time, 1],
    ]);
    expect(rows.map(({ values }) => values)).toEqual([valuesOf(whole, FIELDS), FIELDS.map(() => null)]);
  });

  test('custom scalars come back however they were reported, those that were asked for alone', async () => {
    const reports = fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), report), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(reports, fc.subarray(NAMES), async (given, names) => {
        const run = await begin(db());
        const steps = new Map<number, StepEvent>();
        for (const [at, values] of given) {
          await insert(run, [aStep(at, values)]);
          steps.set(at, mergeStep(steps.get(at) ?? aStep(at), aStep(at, values)));
        }
        const columns: StepColumn[] = [
          ...names.map((custom) => ({ custom })),
          { field: 'loss' },
          { custom: 'never reported' },
        ];
        const expected = [...steps.values()].sort((one, other) => one.step - other.step);
        const rows = await readAll(db(), { run, columns });
        expect(rows.map(({ values }) => values)).toEqual(expected.map((event) => valuesOf(event, columns)));
      }),
      { numRuns: 20 },
    );
  });

  test('a long run is read in chunks, each step once', async () => {
    const run = await begin(db());
    const count = 4_100;
    for (let from = 0; from < count; from += 2_050)
      await insert(
        run,
        Array.from({ length: 2_050 }, (_, at) =>
          aStep(from + at, { loss: from + at, custom: { acc: 2 * (from + at) } }),
        ),
      );
    const chunks: number[] = [];
    let next = 0;
    for await (const chunk of readStoredSteps(db(), { run, columns: [{ field: 'loss' }, { custom: 'acc' }] })) {
      chunks.push(chunk.length);
      for (const { step, values } of chunk) expect([step, ...values]).toEqual([next, next, 2 * next++]);
    }
    expect([next, Math.max(...chunks)]).toEqual([count, 2_000]);
  });

  test('the timeline has what the last attempt to have it stored; an attempt has all that it stored', async () => {
    const start = aRun();
    const { run } = start;
    await startRun(db(), start, NOW);
    await insert(
      run,
      [1, 2, 3, 4].map((at) => aStep(at, { loss: at })),
    );
    await startRun(db(), { ...start, attempt: 2 }, NOW);
    await insert(
      run,
      [3, 4, 5].map((at) => aStep(at, { loss: 10 * at })),
      2,
    );
    await removeStep(db(), { run, attempt: 2, step: 4, removed: true, by: null }, NOW);
    const columns: StepColumn[] = [{ field: 'loss' }];
    const read = async (query: Partial<StoredStepsQuery>) =>
      (await readAll(db(), { run, columns, ...query })).map(({ attempt, step, values }) => [attempt, step, values[0]]);
    expect(await read({})).toEqual([
      [1, 1, 1],
      [1, 2, 2],
      [2, 3, 30],
      [2, 5, 50],
    ]);
    expect(await read({ from: 2, to: 3 })).toEqual([
      [1, 2, 2],
      [2, 3, 30],
    ]);
    expect(await read({ attempt: 1, from: 3 })).toEqual([
      [1, 3, 3],
      [1, 4, 4],
    ]);
    expect(await read({ attempt: 2, to: 4 })).toEqual([
      [2, 3, 30],
      [2, 4, 40],
    ]);
    expect(await read({ attempt: 3 })).toEqual([]);
  });

  test('a run without steps, and one that does not exist, have none', async () => {
    expect(await readAll(db(), { run: await begin(db()), columns: FIELDS })).toEqual([]);
    expect(await readAll(db(), { run: aRun().run, columns: [{ custom: 'acc' }] })).toEqual([]);
  });
});
