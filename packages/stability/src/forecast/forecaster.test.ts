import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Signals } from '../signals.ts';
import { type Forecast, Forecaster } from './forecaster.ts';
import { fitLogistic, probability } from './logistic.ts';
import { MODEL } from './model.ts';

/** What the forecaster computes step by step, here from the whole history by the definitions. */
function reference(history: readonly Signals[]): { growthRisk: number; surgeRisk: number } | null {
  const points = history
    .filter(({ tevMean }) => tevMean != null && tevMean > 0 && Number.isFinite(tevMean))
    .map(({ step, tevMean, tevStd, gradVar, gradNorm }) => ({
      step,
      agreement: 2 * usableLog(gradNorm) - usableLog(gradVar),
      x: Math.log(step + 1),
      y: Math.log(tevMean as number),
      spread: tevStd != null && tevStd > 0 && Number.isFinite(tevStd) ? Math.log(tevStd / (tevMean as number)) : null,
    }));
  const newest = points.at(-1);
  if (!newest || newest.step - (points[0]?.step ?? 0) < 14) return null;
  const within = (steps: number) => {
    const inside = points.filter(({ step }) => step >= newest.step - steps);
    return inside.length < 2 ? points.slice(-2) : inside;
  };
  const exponents = [10, 40].map((steps) => slope(within(steps).map(({ x, y }) => [x, y])));
  const rate = slope(within(40).map(({ step, y }) => [step, y]));
  const excess = newest.y - newest.x - Math.min(...points.map(({ x, y }) => y - x));
  const slow = 4 * Math.max(0, Math.log(0.004 / Math.max(1e-6, rate)));
  const growth = Math.min(...exponents, 4) + 6 * Math.min(excess, 0.5) - slow;
  const score = Math.min(7, Math.max(-2, growth));
  const agreed = average(points, 5, 3) - average(points, 40, 12);
  const growthRisk = Number.isNaN(agreed)
    ? probability(MODEL.growth, [score])
    : probability(MODEL.growthAndAgreement, [score, Math.min(5, Math.max(-5, agreed))]);
  return { growthRisk, surgeRisk: referenceSurge(points) };
}

function usableLog(value: number | null | undefined): number {
  return value != null && value > 0 && Number.isFinite(value) ? Math.log(value) : Number.NaN;
}

/** The moving average of what is known of the agreement; NaN where nothing is. */
function average(points: { step: number; agreement: number }[], steps: number, gaps: number): number {
  let mean = Number.NaN;
  points.forEach(({ step, agreement }, at) => {
    if (!Number.isFinite(agreement)) return;
    const gap = step - (points[at - 1]?.step ?? step);
    const kept = Math.exp(-gap / Math.max(steps, gaps * gap));
    mean = Number.isNaN(mean) ? agreement : kept * mean + (1 - kept) * agreement;
  });
  return mean;
}

function referenceSurge(points: { step: number; y: number; spread: number | null }[]): number {
  const newest = points.at(-1);
  const inside = points.filter(({ step }) => step >= (newest?.step ?? 0) - 7);
  const [a, b, c, d] = points.slice(-4);
  if (!a || !b || !c || !d || inside.length < 4 || d.step - a.step > 9) return 0;
  const speeds = [
    [a, b],
    [b, c],
    [c, d],
  ].map(([from, to]) => {
    if (!from || !to) throw new Error('unreachable');
    const speed = (to.y - from.y) / (to.step - from.step);
    return [(from.step + to.step) / 2, Math.log(Math.max(1e-3, speed))] as [number, number];
  });
  const speed = Math.min(1, Math.max(1e-3, slope(inside.map(({ step, y }) => [step, y]))));
  const acceleration = Math.min(0.4, Math.max(-0.5, slope(speeds)));
  const ahead = d.spread === null ? 4 * acceleration - 0.23 : 2 * acceleration + d.spread / 2;
  const score = Math.max(-9, Math.min(-2, Math.log(speed) + ahead));
  return score > -4 ? probability(MODEL.surge, [score]) : 0;
}

function slope(points: [number, number][]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

function forecasts(steps: Iterable<Signals>, forecaster = new Forecaster()): (Forecast | null)[] {
  return Array.from(steps, (signals) => forecaster.observe(signals));
}

const unusable = fc.constantFrom(
  null,
  undefined,
  0,
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
);
/** Runs that wander, leap, lack values and are logged at uneven intervals. */
const run = (minLength: number) =>
  fc
    .array(
      fc.record({
        gap: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 60 })),
        growth: fc.double({ min: -0.05, max: 0.2, noNaN: true }),
        bad: fc.option(unusable, { freq: 8 }),
        gradNorm: fc.oneof({ weight: 3, arbitrary: fc.double({ min: 0.1, max: 10, noNaN: true }) }, unusable),
        gradVar: fc.oneof({ weight: 3, arbitrary: fc.double({ min: 0.1, max: 10, noNaN: true }) }, unusable),
        tevStd: fc.oneof(fc.double({ min: 1e-4, max: 10, noNaN: true }), unusable),
      }),
      { minLength, maxLength: 200, size: 'max' },
    )
    .map((events) => {
      let [step, logTev] = [-1, -4];
      return events.map(({ gap, growth, bad, ...signals }): Signals => {
        step += gap;
        logTev += growth;
        return { ...signals, step, tevMean: bad === null ? Math.exp(logTev) : bad };
      });
    });

describe('the forecaster', () => {
  test('says what the definitions say', () => {
    let compared = 0;
    fc.assert(
      fc.property(run(20), (steps) => {
        const forecaster = new Forecaster();
        for (const [at, signals] of steps.entries()) {
          const forecast = forecaster.observe(signals);
          const expected = reference(steps.slice(0, at + 1));
          expect(forecast === null).toBe(expected === null);
          if (!forecast || !expected) continue;
          compared++;
          expect(forecast.growthRisk).toBeCloseTo(expected.growthRisk, 6);
          expect(forecast.surgeRisk).toBeCloseTo(expected.surgeRisk, 6);
          expect(forecast.risk).toBe(Math.max(forecast.growthRisk, forecast.surgeRisk));
        }
      }),
      { numRuns: 60 },
    );
    expect(compared).toBeGreaterThan(1000);
  });

  test('a learning rate or gradient variance that grows beyond a number’s range is left out of the evidence', () => {
    const forecaster = new Forecaster();
    const jump = (step: number) => (step < 80 ? 5e-324 : 1e308);
    let predicted = 0;
    for (let step = 0; step < 120; step++) {
      const tevMean = 0.02 * (step + 1) * 1.05 ** Math.max(0, step - 40);
      const forecast = forecaster.observe({ step, tevMean, lr: jump(step), gradVar: jump(step) });
      if (!forecast) continue;
      if (step >= 90 && forecast.divergenceStep !== null) predicted++;
      expect(Object.values(forecast.evidence).every(Number.isFinite)).toBe(true);
      expect(forecast.message).not.toMatch(/NaN|Infinity/);
    }
    expect(predicted).toBeGreaterThan(0);
  });

  test('restored from its state at any step, goes on as one that never stopped', () => {
    fc.assert(
      fc.property(run(2), fc.nat(), (steps, at) => {
        const cut = at % steps.length;
        const whole = new Forecaster();
        forecasts(steps.slice(0, cut), whole);
        const restored = Forecaster.restore(JSON.parse(JSON.stringify(whole.state())));
        expect(forecasts(steps.slice(cut), restored)).toEqual(forecasts(steps.slice(cut), whole));
      }),
    );
  });

  test('rewound, goes on as one that never saw what it forgot', () => {
    fc.assert(
      fc.property(run(2), run(1), fc.nat(), (steps, detour, at) => {
        const turn = at % steps.length;
        const from = steps[turn]?.step ?? 0;
        const forecaster = new Forecaster();
        const before = forecasts(steps.slice(0, turn), forecaster);
        const wrong = detour.slice(0, 20).map(({ step, ...fields }) => ({ ...fields, step: from + step }));
        // What is forgotten must leave something to go on from.
        fc.pre(turn + wrong.length < 64);
        forecasts(wrong, forecaster);
        expect([...before, ...forecasts(steps.slice(turn), forecaster)]).toEqual(forecasts(steps));
      }),
    );
  });

  test('keeps less than 12 KiB, and numbers alone', () => {
    const forecaster = new Forecaster();
    for (let step = 0; step < 5000; step++)
      forecaster.observe({
        step,
        tevMean: 0.1234567890123 + step / 7,
        tevStd: 0.1 / 3,
        gradVar: step / 9,
        gradNorm: step / 3,
        lr: 1 / 3,
      });
    const stored = JSON.stringify(forecaster.state());
    expect(stored.length).toBeLessThan(12 * 1024);
    expect(JSON.stringify(Forecaster.restore(JSON.parse(stored)).state())).toBe(stored);
  });

  test.each([0, 0.3, 0.5, 1])('calls growth as step^%d healthy, at any interval', (exponent) => {
    for (const every of [1, 3, 10, 50]) {
      const steps = Array.from({ length: 300 }, (_, at) => ({
        step: at * every,
        tevMean: 0.02 + 1e-3 * (at * every) ** exponent,
      }));
      expect(Math.max(...forecasts(steps).map((forecast) => forecast?.risk ?? 0))).toBeLessThan(0.25);
    }
  });

  test.each([1, 10, 50])('sees the turn from there to growth that doubles every 40 steps, logged each %d', (every) => {
    const tevMean = (step: number) => 0.02 * (step < 200 ? step ** 0.5 : 200 ** 0.5 * 2 ** ((step - 200) / 40));
    const steps = Array.from({ length: 400 / every }, (_, at) => ({ step: at * every, tevMean: tevMean(at * every) }));
    const seen = forecasts(steps).find((forecast) => (forecast?.risk ?? 0) > 0.8);
    expect(seen?.step).toBeGreaterThan(200);
    expect(seen?.step).toBeLessThanOrEqual(200 + Math.max(40, 2 * every));
    expect(seen?.divergenceStep).toBeGreaterThan(seen?.step as number);
    expect(seen?.message).toMatch(/^TEV doubles every [\d.]+ steps.* risk of divergence within 100 steps, most likely/);
  });

  test('a rate that doubles nothing within the horizon is no risk, whatever its exponent', () => {
    const steps = Array.from({ length: 2000 }, (_, at) => ({ step: 50_000 + at, tevMean: Math.exp(at * 1e-3) }));
    const last = forecasts(steps).at(-1);
    expect(last?.evidence.exponent).toBeGreaterThan(50);
    expect(last?.risk).toBeLessThan(0.1);
  });

  test('reports a learning rate and a gradient variance that rise with it', () => {
    const grown = (step: number) => Math.exp(Math.max(0, step - 100) / 30);
    const steps = Array.from({ length: 150 }, (_, step) => ({
      step,
      tevMean: 0.02 * grown(step),
      lr: 1e-3 * grown(step),
      gradVar: grown(step) ** 2,
    }));
    expect(forecasts(steps).at(-1)?.message).toMatch(
      /learning rate x\d.* in 63 steps; gradient variance x\d.* in 63 steps/,
    );
  });
});

test('a fit finds the curve that made its examples', () => {
  const truth = [-3, 1.5, -0.5];
  const grid = Array.from({ length: 20 }, (_, at) => at / 5);
  const examples = grid.flatMap((first) =>
    grid.flatMap((second) => {
      const x = [first, second];
      const p = probability(truth, x);
      return [
        { x, y: 1 as const, weight: p },
        { x, y: 0 as const, weight: 1 - p },
      ];
    }),
  );
  fitLogistic(examples).forEach((weight, at) => {
    expect(weight).toBeCloseTo(truth[at] as number, 2);
  });
});
