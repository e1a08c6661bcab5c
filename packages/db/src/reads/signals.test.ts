import { SCALAR_FIELDS } from '@evenkeel/protocol';
import { SIGNAL_NAMES } from '@evenkeel/stability';
import { expect, test } from 'vitest';
import { describeDatabases } from '../testing.ts';
import { aStep, begin, NOW } from '../testing-data.ts';
import { insertSteps } from '../writes/step.ts';
import { readSignals, startOfNewest } from './signals.ts';

describeDatabases('what rules judge by', (db) => {
  const STEPS = 2_300;

  /** A run whose second attempt rewinds by a hundred steps; beside it, another run. */
  async function rewound(): Promise<string> {
    const run = await begin(db(), {});
    const steps = Array.from({ length: STEPS }, (_, at) => aStep(at, { loss: at === 7 ? Number.NaN : at, lr: null }));
    await insertSteps(db(), [{ run, attempt: 1, steps }], NOW);
    await begin(db(), { run, attempt: 2 });
    await insertSteps(db(), [{ run, attempt: 2, steps: [aStep(2_200, { tevMean: 1 }), aStep(2_210)] }], NOW);
    await insertSteps(db(), [{ run: await begin(db()), attempt: 1, steps: [aStep(2_205)] }], NOW);
    return run;
  }

  async function read(run: string, from: Parameters<typeof readSignals>[1]['from']) {
    const rows = [];
    for await (const chunk of readSignals(db(), { run, from })) rows.push(...chunk);
    return rows;
  }

  test('every step of every attempt comes, also those that were taken over, in order', async () => {
    const rows = await read(await rewound(), null);
    const first = Array.from({ length: STEPS }, (_, step) => [1, step]);
    expect(rows.map(({ attempt, step }) => [attempt, step])).toEqual([...first, [2, 2_200], [2, 2_210]]);
    expect(rows[7]).toMatchObject({ loss: Number.NaN, lr: null });
    expect(rows[STEPS]).toMatchObject({ tevMean: 1, loss: null });
  });

  test('the newest are counted over attempts, and nothing is cut where there are no more', async () => {
    const run = await rewound();
    const start = await startOfNewest(db(), { run, steps: 1_002 });
    expect(start).toEqual({ attempt: 1, step: 1_300 });
    expect(await read(run, start)).toHaveLength(1_002);
    expect(await startOfNewest(db(), { run, steps: 2 })).toEqual({ attempt: 2, step: 2_200 });
    expect(await startOfNewest(db(), { run, steps: STEPS + 2 })).toBeNull();
    expect(await startOfNewest(db(), { run: await begin(db()), steps: 5 })).toBeNull();
  });

  test('every signal is a scalar of the table of step fields, and comes back as it was stored', async () => {
    const scalars = SCALAR_FIELDS.map(({ name }): string => name);
    expect(SIGNAL_NAMES.filter((name) => !scalars.includes(name))).toEqual([]);
    const run = await begin(db());
    const values = Object.fromEntries(SIGNAL_NAMES.map((name, at) => [name, 1 + at]));
    await insertSteps(db(), [{ run, attempt: 1, steps: [aStep(3, values)] }], NOW);
    expect(await read(run, null)).toEqual([{ attempt: 1, step: 3, ...values }]);
  });

  test('a run without steps has none', async () => {
    expect(await read(await begin(db()), null)).toEqual([]);
  });
});
