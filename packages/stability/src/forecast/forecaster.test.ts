import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Signals } from '../signals.ts';
import { type Forecast, Forecaster } from './forecaster.ts';
import { fitLogistic, probability } from './logistic.ts';
import { levelAt, MODEL } from './model.ts';

interface Point {
  step: number;
  x: number;
  y: number;
  loss: number;
  agreement: number;
  spread: number | null;
  lr: number;
}

interface Reference {
  exponent: number;
  rate: number;
  lossRise: number;
  agreement: number;
  /** The lowest of the margins of growth. */
  growth: number;
  surge: number | null;
  risk: number;
}

/** What the forecaster computes step by step, here from the whole history by the definitions: at every step, or as asked. */
function references(history: readonly Signals[], isAsked = (_step: number) => true): (Reference | null)[] {
  const points: Point[] = [];
  let best = Number.POSITIVE_INFINITY;
  return history.map((signals) => {
    const { step, tevMean, tevStd, gradVar, gradNorm, loss, lr, lrAhead } = signals;
    if (isUsable(tevMean)) {
      const spread = isUsable(tevStd) ? Math.log(tevStd / tevMean) : null;
      const agreement = isUsable(gradNorm) && isUsable(gradVar) ? Math.log(gradNorm ** 2 / gradVar) : Number.NaN;
      const known = loss != null && Number.isFinite(loss) ? loss : Number.NaN;
      points.push({
        step,
        x: Math.log(step + 1),
        y: Math.log(tevMean),
        loss: known,
        agreement,
        spread,
        lr: isUsable(lr) ? lr : Number.NaN,
      });
      if (!Number.isNaN(known)) best = Math.min(best, meanOf(spanOf(points, 10, 2, 0.005), 'loss'));
    }
    const newest = points.at(-1);
    if (!isAsked(step) || !newest || points.length < 2 || newest.step - (points[0]?.step ?? 0) < 15) return null;
    const planned = isUsable(lr) && isUsable(lrAhead) ? Math.log(lrAhead / lr) : null;
    const grown = referenceGrowth(points, best, planned ?? referenceTrend(points));
    const surge = referenceSurge(points);
    const levels = Number.isNaN(grown.lossRise) ? MODEL.levelsOfTev : MODEL.levels;
    return { ...grown, surge, risk: levelAt(levels, Math.max(grown.growth, surge ?? grown.growth)).risk };
  });
}

/** The newest points within some steps, some gaps and a share of the step. */
function spanOf(points: readonly Point[], steps: number, gaps: number, share: number): Point[] {
  const newest = points.at(-1)?.step ?? 0;
  const [before, last] = points
    .slice(-3)
    .map(({ step }, at, all) => step - (all[at - 1]?.step ?? Number.NaN))
    .slice(1);
  const gap = Math.min(before ?? 1, last ?? before ?? 1);
  const width = Math.max(steps, gaps * gap, share * newest);
  const inside = points.slice(-1200).filter(({ step }) => step > newest - width); // no span here holds more
  return inside.length < 2 ? points.slice(-2) : inside;
}

/** The log of what the learning rate rises by in 20 steps as it does now. */
function referenceTrend(points: readonly Point[]): number {
  const [oldest, newest] = [spanOf(points, 6, 1, 0.0025)[0], points.at(-1)];
  if (!oldest || !newest) return Number.NaN;
  return (20 * Math.log(newest.lr / oldest.lr)) / (newest.step - oldest.step);
}

function meanOf(points: readonly Point[], name: 'loss' | 'agreement'): number {
  const known = points.map((point) => point[name]).filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

function referenceGrowth(points: readonly Point[], best: number, rateAhead: number) {
  const [short, long, brief] = [
    spanOf(points, 10, 2, 0.005),
    spanOf(points, 40, 4, 0.02),
    spanOf(points, 5, 3, 0.0025),
  ];
  const exponent = slope(short.map(({ x, y }) => [x, y]));
  const rate = slope(long.map(({ step, y }) => [step, y]));
  const newest = points.at(-1) as Point;
  const excess =
    newest.y - newest.x - points.reduce((lowest, { x, y }) => Math.min(lowest, y - x), newest.y - newest.x);
  const losses = long.filter(({ loss }) => !Number.isNaN(loss));
  const isDense = long.length >= 12;
  const knowsLoss = isDense && losses.length >= 2;
  const first = points
    .map(({ loss }) => loss)
    .filter((loss) => !Number.isNaN(loss))
    .slice(0, 3)
    .sort((a, b) => a - b);
  const start = ((first[(first.length - 1) >> 1] ?? 0) + (first[first.length >> 1] ?? 0)) / 2;
  const fall = knowsLoss ? slope(losses.map(({ step, loss }) => [step, loss])) : Number.NaN;
  const lossRise = (40 * fall) / Math.max(0.4, start - best);
  const agreement = isDense ? meanOf(brief, 'agreement') - meanOf(long, 'agreement') : Number.NaN;
  const knowsGradients = !Number.isNaN(agreement);
  const [minExponent, minExcess, minRise] = !knowsLoss
    ? [2.4, 0.2, 0]
    : knowsGradients
      ? [1.6, 0.1, 0.05]
      : [2.2, 0.2, -0.1];
  const terms = [
    (exponent - minExponent) / 0.5,
    (excess - minExcess) / 0.1,
    (rate - 0.003) / 0.001,
    (lossRise - minRise) / 0.1,
    (agreement - 0.05) / 0.1,
    (rateAhead - 0.05) / 0.1,
  ];
  const growth = Math.min(...terms.filter((term) => !Number.isNaN(term)));
  return { exponent, rate, lossRise, agreement, growth };
}

function isUsable(value: number | null | undefined): value is number {
  return value != null && value > 0 && Number.isFinite(value);
}

function referenceSurge(points: readonly Point[]): number | null {
  const newest = points.at(-1);
  const inside = points.filter(({ step }) => step >= (newest?.step ?? 0) - 7);
  const [a, b, c, d] = points.slice(-4);
  if (!a || !b || !c || !d || inside.length < 4 || d.step - a.step > 9) return null;
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
  return score > -4 ? (5 + 1.8197 * score) / 0.81 : null;
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
        loss: fc.oneof({ weight: 3, arbitrary: fc.double({ min: 0.1, max: 10, noNaN: true }) }, unusable),
        lr: fc.oneof(fc.double({ min: 1e-4, max: 1, noNaN: true }), unusable),
        lrAhead: fc.oneof(fc.double({ min: 1e-4, max: 1, noNaN: true }), unusable),
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
        const young = steps.filter(({ step }) => step <= 2000); // later older steps are blocks
        const expected = references(young);
        forecasts(young).forEach((forecast, at) => {
          const reference = expected[at] ?? null;
          expect(forecast === null).toBe(reference === null);
          if (!forecast || !reference) return;
          compared++;
          expect(forecast.growthMargin).toBeCloseTo(reference.growth, 5);
          if (reference.surge === null) expect(forecast.surgeMargin).toBeNull();
          else expect(forecast.surgeMargin).toBeCloseTo(reference.surge, 6);
          expect(forecast.margin).toBe(Math.max(forecast.growthMargin, forecast.surgeMargin ?? forecast.growthMargin));
          expect(forecast.risk).toBeCloseTo(reference.risk, 6);
        });
      }),
      { numRuns: 60 },
    );
    expect(compared).toBeGreaterThan(1000);
  });

  test.each([1, 3, 10, 50])('in a long run logged each %d steps, blocks of steps say what all steps do', (every) => {
    const wave = (step: number, period: number) => Math.sin((2 * Math.PI * step) / period);
    const steps = Array.from({ length: 30_000 / every }, (_, at): Signals => {
      const step = at * every;
      const logTev = (Math.max(0, step - 25_000) / 1000) ** 2 + 0.3 * wave(step, 9000) + 0.002 * wave(step, 37);
      const loss = 3 + 2 * Math.exp(-step / 5000) + 0.2 * wave(step, 7000) + 0.01 * wave(step, 53);
      return { step, tevMean: 0.02 * Math.exp(logTev), loss, gradNorm: Math.exp(0.3 * wave(step, 6000)), gradVar: 1 };
    });
    const expected = references(steps, (step) => step % (every * 97) === 0);
    const halfAUnit = { exponent: 0.25, rate: 0.0005, lossRise: 0.05, agreement: 0.05 };
    let compared = 0;
    forecasts(steps).forEach((forecast, at) => {
      const reference = expected[at];
      if (!forecast || !reference || forecast.step < 2500) return;
      for (const name of ['exponent', 'rate', 'lossRise', 'agreement'] as const) {
        expect(forecast.evidence[name] === undefined).toBe(Number.isNaN(reference[name]));
        if (Number.isNaN(reference[name])) continue;
        compared++;
        const difference = Math.abs((forecast.evidence[name] ?? 0) - reference[name]);
        expect(difference).toBeLessThan(halfAUnit[name] + 0.05 * Math.abs(reference[name]));
      }
    });
    expect(compared).toBeGreaterThan(10);
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
        loss: 1 + 1 / (step + 7),
        lr: 1 / 3,
        lrAhead: 1 / 7,
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

  test('a rate that doubles nothing within the horizon predicts nothing, whatever its exponent', () => {
    const steps = Array.from({ length: 2000 }, (_, at) => ({ step: 50_000 + at, tevMean: Math.exp(at * 1e-3) }));
    const last = forecasts(steps).at(-1);
    expect(last?.evidence.exponent).toBeGreaterThan(50);
    expect(last?.margin).toBeLessThan(-1);
    expect(last?.divergenceStep).toBeNull();
  });

  describe('of a rate that is being raised', () => {
    const grown = (step: number) => Math.exp(Math.max(0, step - 100) / 30);
    const growing = (more: (step: number) => Partial<Signals>) =>
      forecasts(
        Array.from({ length: 150 }, (_, step) => ({ step, tevMean: 0.02 * grown(step) ** 0.5, ...more(step) })),
      ).at(-1);
    const agreeing = (step: number) => ({ gradNorm: grown(step), gradVar: 1 });

    test('calls what drives a divergence where all holds', () => {
      const last = growing((step) => ({ ...agreeing(step), loss: 5 + step / 100, lr: 1, lrAhead: 2 }));
      expect(last?.margin).toBeGreaterThan(0);
      expect(last?.message).toContain('the loss no longer falls; micro-batches come to agree; the learning rate is');
    });

    test('calls what holds it back, however much of the rest holds', () => {
      const falling = growing((step) => ({ ...agreeing(step), loss: 5 - step / 3000 }));
      expect(falling).toMatchObject({
        term: 'lossRise',
        message: expect.stringContaining('since the loss still falls'),
      });
      expect(falling?.margin).toBeLessThan(0);
      const apart = growing((step) => ({ gradNorm: 1, gradVar: 1, loss: 5 + step / 100 }));
      expect(apart).toMatchObject({ term: 'agreement', margin: expect.closeTo(-0.5, 6) });
      const planned = growing((step) => ({ ...agreeing(step), loss: 5 + step / 100, lr: 1, lrAhead: 1 }));
      expect(planned).toMatchObject({ term: 'rateAhead', margin: expect.closeTo(-0.5, 6) });
    });

    test('without a plan the rate goes on as it does: a jump that stays is over when it is made', () => {
      const given = (lr: (step: number) => number) =>
        growing((step) => ({ ...agreeing(step), loss: 5 + step / 100, lr: lr(step) }));
      expect(given(grown)?.evidence.lrAheadRatio).toBeCloseTo(Math.exp(20 / 30), 6);
      expect(given(grown)?.margin).toBeGreaterThan(0);
      expect(given((step) => (step < 140 ? 1 : 10))).toMatchObject({ term: 'rateAhead' });
      expect(given((step) => (step < 140 ? 1 : 10))?.margin).toBeCloseTo(-0.5, 6);
    });

    test('leaves out what is unknown', () => {
      const all = growing((step) => ({ ...agreeing(step), loss: 5 + step / 100 }));
      const withPlanAlone = growing((step) => ({ ...agreeing(step), loss: 5 + step / 100, lrAhead: 1 }));
      expect(withPlanAlone?.margin).toBe(all?.margin);
      expect(growing(() => ({}))?.evidence).not.toHaveProperty('lossRise');
    });
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
