import { mergeStep, STEP_ARRAYS, type StepArray, type StepEvent } from '@evenkeel/protocol';
import { extendBounds, NO_STEPS, type StepBounds } from '@evenkeel/stability';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Database } from '../database.ts';
import { describeDatabases } from '../testing.ts';
import { aRun, aStep, begin, NOW } from '../testing-data.ts';
import { rollUp } from '../writes/rollup.ts';
import { startRun } from '../writes/run.ts';
import { insertSteps } from '../writes/step.ts';
import { type ArrayChart, readArrayChart } from './array-chart.ts';
import { type Chart, readChart } from './chart.ts';
import type { SeriesKey } from './metric.ts';
import { runsToRollUp } from './rollup.ts';

/** A slow reference: every step of every attempt, as it was last inserted, and which numbers look wrong. */
type Model = Map<number, { steps: Map<number, StepEvent>; bounds: StepBounds }>;

const NONE = { steps: new Map<number, StepEvent>(), bounds: NO_STEPS };

/** The steps that the latest attempts own, none of them later than `asOf`, one by one as DESIGN says, in order. */
function ownedSteps(model: Model, asOf = Number.POSITIVE_INFINITY): StepEvent[] {
  const owned = new Map<number, StepEvent>();
  const attempts = [...model.keys()].filter((attempt) => attempt <= asOf);
  for (const attempt of attempts.sort((a, b) => a - b)) {
    const { steps, bounds } = model.get(attempt) ?? NONE;
    for (const step of owned.keys()) if (step >= (bounds.first ?? Number.POSITIVE_INFINITY)) owned.delete(step);
    for (const [step, event] of steps) if (!bounds.outliers.includes(step)) owned.set(step, event);
  }
  return [...owned.values()].sort((a, b) => a.step - b.step);
}

/** Groups the owned steps of the range by the chart's columns, which must leave none out. */
function byColumn(chart: Pick<Chart, 'steps' | 'columnSteps'>, owned: readonly StepEvent[]): StepEvent[][] {
  const columns: StepEvent[][] = chart.steps.map(() => []);
  for (const event of owned) {
    const at = chart.steps.findLastIndex((first) => first <= event.step);
    const first = chart.steps[at] ?? Number.NaN;
    expect(event.step - first).toBeLessThan(chart.columnSteps);
    columns[at]?.push(event);
  }
  return columns;
}

type Read = (event: StepEvent) => number | null | undefined;

function expectSeries(chart: Chart, key: SeriesKey, columns: readonly StepEvent[][], read: Read): void {
  const { mean, min, max, nonFinite } = seriesOf(chart, key);
  for (const [at, events] of columns.entries()) {
    const values = events.map(read).filter((value) => value != null);
    const finite = values.filter(Number.isFinite);
    const none = finite.length === 0;
    expect(nonFinite[at]).toBe(values.length - finite.length);
    if (min) expect(min[at]).toBe(none ? null : Math.min(...finite));
    if (max) expect(max[at]).toBe(none ? null : Math.max(...finite));
    const sum = finite.reduce((total, value) => total + value, 0);
    if (none) expect(mean[at]).toBeNull();
    else expect(mean[at]).toBeCloseTo(sum / finite.length, 6);
  }
}

function seriesOf({ series }: Chart, key: SeriesKey) {
  const found = series[key];
  if (!found) throw new Error(`the chart has no ${key}`);
  return found;
}

/** The first step of each column that carries the array. */
function expectedArrays(columns: readonly StepEvent[][], array: StepArray): ArrayChart {
  const carriers = columns.map((events) => events.find((event) => event[array])).filter((event) => !!event);
  return { steps: carriers.map(({ step }) => step), values: carriers.map((event) => event[array] ?? []) };
}

/** The same pseudo-random value for the same arguments: mostly plain, at times a spike, non-finite or absent. */
function measured(step: number, salt: number): number | null {
  const hash = Math.imul(step + 1, 2_654_435_761) ^ Math.imul(salt + 1, 40_503);
  const kind = (hash >>> 8) % 1000;
  if (kind < 20) return null;
  if (kind < 40) return Number.NaN;
  if (kind < 50) return kind % 2 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  return kind === 50 ? 1e6 * (1 + (hash & 7)) : ((hash >>> 20) % 1000) / 100;
}

const stretch = fc.record({
  attempt: fc.constantFrom<number>(1, 1, 2, 3),
  first: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 9000 })),
  count: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 4000 })),
  stride: fc.constantFrom(1, 1, 1, 2, 70),
  salt: fc.nat(99),
  /** Whether what is there is rolled up before, or while the stretch comes in. */
  rollUp: fc.constantFrom('no', 'before', 'meanwhile'),
});
type Stretch = typeof stretch extends fc.Arbitrary<infer Value> ? Value : never;

/** A few steps again, so few that what is around them stays rolled up. */
const repeat = fc.record({
  /** Which of the owned steps is the first of them, of a thousand. */
  place: fc.nat(999),
  count: fc.integer({ min: 1, max: 3 }),
  salt: fc.nat(99),
});
type Repeat = typeof repeat extends fc.Arbitrary<infer Value> ? Value : never;

const view = fc.record({
  from: fc.option(fc.integer({ min: 0, max: 12_000 }), { nil: undefined }),
  span: fc.option(fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 12_000 })), { nil: undefined }),
  columns: fc.oneof(fc.constantFrom(1, 2, 3), fc.integer({ min: 1, max: 400 })),
  attempt: fc.constantFrom(undefined, undefined, 1, 2),
});

/** Custom scalars come sparse, and some only late in a run. */
function customAt(step: number, salt: number, first: number): Record<string, number> | null {
  if (step % 4 !== salt % 4) return null;
  const value = measured(step, salt + 13);
  return { ...(value !== null && { speed: value }), ...(first > 4000 && { late: step % 10 }) };
}

async function insertStretch(db: Database, run: string, model: Model, stretch: Stretch): Promise<void> {
  const { attempt, first, count, stride, salt } = stretch;
  for (const number of [1, 2, 3].filter((number) => number <= attempt)) {
    await startRun(db, aRun({ run, attempt: number, layers: ['h0', 'h1'] }), NOW); // each follows the one before
  }
  if (stretch.rollUp === 'before') await rollUp(db, run);
  const steps = Array.from({ length: count }, (_, at) => {
    const step = first + at * stride;
    const every = (period: number) => step % period === salt % period;
    return aStep(step, {
      loss: measured(step, salt),
      tevMean: measured(step, salt + 7),
      tokens: every(3) ? null : 512 * step,
      layerGradVar: every(5) ? [step, salt] : null,
      tevQuantiles: every(7) ? Array.from({ length: 9 }, (_, at) => at + salt) : null,
      custom: customAt(step, salt, first),
    });
  });
  const inserting = insertSteps(db, [{ run, attempt, steps }], NOW);
  if (stretch.rollUp === 'meanwhile') await rollUp(db, run);
  expect(await inserting).toEqual([[]]);
  const known = model.get(attempt) ?? NONE;
  const merged = new Map(known.steps);
  for (const step of steps) merged.set(step.step, mergeStep(merged.get(step.step) ?? step, step));
  const numbers = steps.map(({ step }) => step);
  model.set(attempt, { steps: merged, bounds: extendBounds(known.bounds, numbers) });
}

async function insertRepeat(db: Database, run: string, model: Model, { place, ...rest }: Repeat): Promise<void> {
  const owned = ownedSteps(model);
  const first = owned[Math.floor((place / 1000) * owned.length)]?.step ?? 0;
  const begun = [...model].filter(([, { bounds }]) => (bounds.first ?? Number.POSITIVE_INFINITY) <= first);
  const attempt = Math.max(...begun.map(([attempt]) => attempt));
  await insertStretch(db, run, model, { ...rest, attempt, first, stride: 1, rollUp: 'no' });
}

function customNames({ custom }: StepEvent): string[] {
  return Object.keys(custom ?? {});
}

describeDatabases('charts', (db) => {
  test('every value of the timeline is in its column, at any zoom, rolled up or not', async () => {
    const stretches = fc.array(stretch, { minLength: 1, maxLength: 5 });
    const views = fc.array(view, { minLength: 4, maxLength: 4 });
    const repeats = fc.array(repeat, { maxLength: 3 });
    const isRolledUp = fc.constantFrom('never', 'before repeats', 'before repeats', 'at the end');
    const property = fc.asyncProperty(
      stretches,
      repeats,
      views,
      isRolledUp,
      async (stretches, repeats, views, when) => {
        const run = await begin(db(), { layers: ['h0', 'h1'] });
        const model: Model = new Map();
        for (const stretch of stretches) await insertStretch(db(), run, model, stretch);
        if (when !== 'never') await rollUp(db(), run);
        for (const repeat of repeats) await insertRepeat(db(), run, model, repeat);
        if (when === 'at the end') await rollUp(db(), run);
        const whole = { from: undefined, span: undefined, columns: 2, attempt: undefined };
        for (const { from, span, columns, attempt } of [...views, whole]) {
          const owned = ownedSteps(model, attempt);
          const to = span === undefined ? undefined : (from ?? 0) + span;
          const seen = owned.filter(({ step }) => step >= (from ?? 0) && step <= (to ?? Number.POSITIVE_INFINITY));
          const query = { run, from, to, columns, attempt };
          const asked: SeriesKey[] = ['tevMean', 'custom:late', 'custom:speed', 'loss', 'custom:missing'];
          const chart = await readChart(db(), { ...query, series: asked });
          expect([chart.firstStep, chart.lastStep]).toEqual([owned[0]?.step ?? null, owned.at(-1)?.step ?? null]);
          expect(chart.steps.length).toBeLessThanOrEqual(columns);
          const inColumns = byColumn(chart, seen);
          expect(inColumns.every((events) => events.length > 0)).toBe(true);
          expect(chart.times).toEqual(inColumns.map(([event]) => event?.time));
          expect(chart.tokens).toEqual(
            inColumns.map((events) => events.find(({ tokens }) => tokens != null)?.tokens ?? null),
          );
          expectSeries(chart, 'loss', inColumns, ({ loss }) => loss);
          expectSeries(chart, 'tevMean', inColumns, ({ tevMean }) => tevMean);
          // A name stays known, also where every step that carried it has been replaced.
          const customs = ['late', 'speed'].filter((name) => chart.series[`custom:${name}`]);
          const carried = new Set([...model.values()].flatMap(({ steps }) => [...steps.values()].flatMap(customNames)));
          expect(customs).toEqual(expect.arrayContaining([...carried]));
          expect(Object.keys(chart.series)).toHaveLength(2 + customs.length);
          for (const name of customs) expectSeries(chart, `custom:${name}`, inColumns, ({ custom }) => custom?.[name]);
          for (const array of STEP_ARRAYS) {
            expect(await readArrayChart(db(), { ...query, array })).toEqual(expectedArrays(inColumns, array));
          }
        }
      },
    );
    await fc.assert(property, { numRuns: 12 });
  });

  test('a chart as of an attempt stays as it was, whatever later attempts rewind', async () => {
    const run = await begin(db());
    const insert = async (attempt: number, first: number, count: number, loss: number) => {
      await startRun(db(), aRun({ run, attempt }), NOW);
      const steps = Array.from({ length: count }, (_, at) => aStep(first + at, { loss }));
      await insertSteps(db(), [{ run, attempt, steps }], NOW);
      await rollUp(db(), run);
    };
    const draw = async (attempt?: number) => {
      const views = [{ columns: 9 }, { columns: 400, from: 300, to: 600 }];
      return Promise.all(views.map((view) => readChart(db(), { run, ...view, attempt })));
    };
    await insert(1, 0, 1000, 1);
    const first = await draw();
    await insert(2, 500, 1000, 2);
    const second = await draw();
    expect(second).not.toEqual(first);
    await insert(3, 0, 100, 3);
    expect((await draw())[0]).toMatchObject({ firstStep: 0, lastStep: 99 });
    expect(await draw(1)).toEqual(first);
    expect(await draw(2)).toEqual(second);
    expect(await draw(7)).toEqual(await draw());
    expect(await readChart(db(), { run, columns: 9, attempt: 0 })).toMatchObject({ firstStep: null, steps: [] });
  });

  test('a run without steps has an empty chart', async () => {
    const run = await begin(db());
    const chart = await readChart(db(), { run, columns: 100 });
    expect(chart).toMatchObject({ firstStep: null, lastStep: null, columnSteps: 1, steps: [] });
    expect(chart.series.loss).toEqual({ mean: [], min: null, max: null, nonFinite: [] });
    expect(await readArrayChart(db(), { run, columns: 100, array: 'layerGradVar' })).toEqual({ steps: [], values: [] });
  });

  test('few steps are drawn as they are, however far apart, finite values however great', async () => {
    const run = await begin(db());
    const losses = [1e300, Number.NaN, null, -2];
    await insertSteps(db(), [{ run, attempt: 1, steps: losses.map((loss, at) => aStep(at * 2 ** 36, { loss })) }], NOW);
    await rollUp(db(), run);
    const chart = await readChart(db(), { run, columns: 4 });
    expect(chart.columnSteps).toBe(1);
    expect(chart.steps).toEqual([0, 2 ** 36, 2 ** 37, 3 * 2 ** 36]);
    expect(chart.series.loss).toEqual({ mean: [1e300, null, null, -2], min: null, max: null, nonFinite: [0, 1, 0, 0] });
  });

  test('a spike of one step is in the chart of a long run', async () => {
    const run = await begin(db());
    const spike = 12_345;
    const steps = Array.from({ length: 20_000 }, (_, step) => aStep(step, { loss: step === spike ? 1e9 : 1 }));
    await insertSteps(db(), [{ run, attempt: 1, steps }], NOW);
    await rollUp(db(), run);
    expect(await runsToRollUp(db())).not.toContain(run);
    for (const columns of [1, 7, 50, 300]) {
      const { steps, columnSteps, series } = await readChart(db(), { run, columns });
      const at = series.loss?.max?.indexOf(1e9) ?? -1;
      expect(steps[at]).toBeLessThanOrEqual(spike);
      expect((steps[at] ?? 0) + columnSteps).toBeGreaterThan(spike);
    }
  });

  test('values whose sum would overflow neither stop the rollups nor lose their extremes', async () => {
    const run = await begin(db());
    const steps = Array.from({ length: 130 }, (_, step) => aStep(step, { loss: step % 2 ? 1.7e308 : -5e-324 }));
    await insertSteps(db(), [{ run, attempt: 1, steps }], NOW);
    await rollUp(db(), run);
    const { series } = await readChart(db(), { run, columns: 2 });
    expect(series.loss?.max).toEqual([1.7e308, 1.7e308]);
    expect(series.loss?.min).toEqual([-5e-324, -5e-324]);
    for (const mean of series.loss?.mean ?? []) expect((mean ?? 0) / 5e149).toBeCloseTo(1, 12);
  });

  test('a late step is rolled up again', async () => {
    const run = await begin(db());
    const insert = (from: number, count: number, loss: number) => {
      const steps = Array.from({ length: count }, (_, at) => aStep(from + at, { loss }));
      return insertSteps(db(), [{ run, attempt: 1, steps }], NOW);
    };
    await insert(0, 4096, 1);
    await rollUp(db(), run);
    await insert(1000, 1, 50);
    expect(await runsToRollUp(db())).toContain(run);
    await rollUp(db(), run);
    const { series, columnSteps } = await readChart(db(), { run, columns: 1 });
    expect([columnSteps, series.loss?.max]).toEqual([4096, [50]]);
  });
});
