import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DETECTOR_MEMORY_STEPS, Detector } from './detector.ts';
import type { Finding, Signals } from './finding.ts';

function judge(steps: Iterable<Signals>, detector = new Detector()): Finding[] {
  return Array.from(steps, (step) => detector.observe(step)).flat();
}

/** TEV that grows as step^exponent from step `from` to `to`, each `every` steps. */
function powerLaw(exponent: number, from: number, to: number, every = 1): Signals[] {
  const length = Math.floor((to - from) / every) + 1;
  return Array.from({ length }, (_, at) => from + at * every).map((step) => ({
    step,
    tevMean: 1e-3 * step ** exponent,
  }));
}

/** Losses around 3 with a standard deviation of 0.1, the same at each call. */
function losses(count: number, from = 0): Signals[] {
  return Array.from({ length: count }, (_, at) => ({ step: from + at, loss: 3 + (at % 2 ? 0.1 : -0.1) }));
}

describe('tev-growth', () => {
  test('a run that turns from a falling exponent to a rising one is found, once', () => {
    const healthy = powerLaw(0.5, 0, 149);
    const level = 1e-3 * 150 ** 0.5;
    const rising = powerLaw(3, 150, 300).map(({ step }) => ({ step, tevMean: level * (step / 150) ** 3 }));
    const findings = judge([...healthy, ...rising]);
    expect(findings).toHaveLength(1);
    const [finding] = findings;
    expect(finding).toMatchObject({ rule: 'tev-growth', severity: 'critical', evidence: { steps: 30 } });
    expect(finding?.step).toBeGreaterThan(150);
    expect(finding?.step).toBeLessThan(180); // by then the window holds nothing but step^3
    expect(finding?.message).toMatch(
      /^TEV grows as step\^2\.\d{1,3} over the last 30 steps: faster than step\^2, which healthy runs stay below$/,
    );
  });

  test('judges from step 80 on', () => {
    expect(judge(powerLaw(3, 0, 79))).toEqual([]);
    const [finding] = judge(powerLaw(3, 0, 80));
    expect(finding?.step).toBe(80);
    expect(finding?.evidence.exponent).toBeCloseTo(3, 9);
  });

  test.each([-3, 0, 0.5, 1, 1.99])('an exponent of %d is healthy', (exponent) => {
    expect(judge(powerLaw(exponent, 1, 600))).toEqual([]);
  });

  test.each([2, 5, 10, 40])('sees growth that is logged each %d steps', (every) => {
    const [finding] = judge(powerLaw(3, 0, 400, every));
    expect(finding?.evidence.exponent).toBeCloseTo(3, 9);
    expect(judge(powerLaw(1.5, 0, 400, every))).toEqual([]);
  });

  test('sees growth through steps that carry no TEV, or none whose logarithm is finite', () => {
    const unusable = [null, undefined, 0, -1];
    const steps = powerLaw(3, 0, 200).map((step, at) => (at % 3 ? { ...step, tevMean: unusable[at % 4] } : step));
    const [finding] = judge(steps);
    expect(finding?.evidence.exponent).toBeCloseTo(3, 9);
  });

  test('a few steps after a start in the middle are too short a lever', () => {
    expect(judge(powerLaw(3, 1000, 1019))).toEqual([]);
    expect(judge(powerLaw(3, 1000, 1020))).toHaveLength(1);
  });

  test('a gap is bridged', () => {
    const [finding] = judge([...powerLaw(3, 60, 70), ...powerLaw(3, 500, 500)]);
    expect(finding).toMatchObject({ step: 500 });
  });
});

describe('loss-spike', () => {
  test('a loss above mean + 6 sigma is found, one below is not', () => {
    expect(judge([...losses(128), { step: 128, loss: 3.55 }])).toEqual([]);
    const [finding] = judge([...losses(128), { step: 128, loss: 3.65 }]);
    expect(finding).toMatchObject({ rule: 'loss-spike', severity: 'warning', step: 128 });
    expect(finding?.evidence).toMatchObject({ loss: 3.65, losses: 128 });
    expect(finding?.evidence.mean).toBeCloseTo(3, 12);
    expect(finding?.evidence.std).toBeCloseTo(0.1, 12);
    expect(finding?.message).toBe('loss rose to 3.65, more than 6 sigma above 3, its mean over the 128 steps before');
  });

  test('needs 64 losses to judge by', () => {
    expect(judge([...losses(63), { step: 63, loss: 9 }])).toEqual([]);
    expect(judge([...losses(64), { step: 64, loss: 9 }])).toHaveLength(1);
  });

  test('losses that are not finite are left out of the mean', () => {
    const steps = losses(128).map((step, at) => (at % 2 ? step : { ...step, loss: at % 4 ? Number.NaN : Infinity }));
    const spikes = judge([...steps, { step: 128, loss: 9 }]).filter(({ rule }) => rule === 'loss-spike');
    expect(spikes).toMatchObject([{ step: 128, evidence: { losses: 64 } }]);
  });

  test('a loss that stands still to the last float32 digit does not spike by rounding', () => {
    const still = Array.from({ length: 128 }, (_, step) => ({ step, loss: 2.3 }));
    expect(judge([...still, { step: 128, loss: 2.3 * (1 + 2 ** -23) }])).toEqual([]);
    expect(judge([...still, { step: 128, loss: 2.4 }])).toHaveLength(1);
  });

  test('reports a second spike once 64 steps have been quiet', () => {
    const spike = (step: number) => ({ step, loss: 9 });
    const soon = [...losses(100), spike(100), ...losses(63, 101), spike(164)];
    expect(judge(soon).map(({ step }) => step)).toEqual([100]);
    const later = [...losses(100), spike(100), ...losses(128, 101), spike(229)];
    expect(judge(later).map(({ step }) => step)).toEqual([100, 229]);
  });
});

describe('non-finite', () => {
  test.each(['loss', 'tevMean', 'gradVar', 'gradNorm'] as const)('%s', (field) => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const findings = judge([
        { step: 7, [field]: 1.23456789 },
        { step: 8, [field]: value },
      ]);
      expect(findings).toEqual([
        {
          rule: 'non-finite',
          severity: 'critical',
          step: 8,
          message: `${field} is ${value}; last finite: ${field} 1.235`,
          evidence: { [field]: 1.23456789 },
        },
      ]);
    }
  });

  test('at the first step there is nothing to compare with', () => {
    expect(judge([{ step: 0, loss: Number.NaN, gradNorm: Number.POSITIVE_INFINITY }])).toMatchObject([
      { message: 'loss is NaN, gradNorm is Infinity', evidence: {} },
    ]);
  });

  test('a run that stays NaN is reported once', () => {
    const steps = Array.from({ length: 500 }, (_, step) => ({ step, loss: Number.NaN }));
    expect(judge(steps)).toHaveLength(1);
  });
});

describe('a detector', () => {
  const value = fc.oneof(
    { weight: 6, arbitrary: fc.double({ min: 0.01, max: 10, noNaN: true }) },
    { weight: 1, arbitrary: fc.constantFrom(null, undefined, 0, -1, 1e308, -1e308, 5e-324) },
    { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY) },
  );
  const signals = fc.record({ loss: value, tevMean: value, gradVar: value, gradNorm: value }, { requiredKeys: [] });
  /** Runs that grow, jump, lack values and are logged at uneven intervals, so that every rule fires and re-arms. */
  const run = (minLength: number, maxLength = 600) =>
    fc
      .tuple(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.boolean(), signals), {
          minLength,
          maxLength,
          size: 'max',
        }),
        fc.double({ min: 0, max: 5, noNaN: true }),
      )
      .map(([events, exponent]) => {
        let step = 0;
        return events.map(([gap, wild, fields], at): Signals => {
          step += gap;
          const calm = {
            loss: 3 + Math.sin(at) / 10,
            tevMean: 1e-3 * (step * (1 + Math.sin(at / 90) / 2)) ** exponent,
          };
          return at % 70 === 0 && wild ? { step, ...fields } : { step, ...calm };
        });
      });

  test('that is fed the last DETECTOR_MEMORY_STEPS steps goes on as one that was fed all', () => {
    let found = 0;
    fc.assert(
      fc.property(run(DETECTOR_MEMORY_STEPS + 2), fc.nat(), (steps, at) => {
        const cut = DETECTOR_MEMORY_STEPS + (at % (steps.length - DETECTOR_MEMORY_STEPS));
        const whole = new Detector();
        judge(steps.slice(0, cut), whole);
        const restored = new Detector();
        judge(steps.slice(cut - DETECTOR_MEMORY_STEPS, cut), restored);
        const expected = judge(steps.slice(cut), whole);
        found += expected.length;
        expect(judge(steps.slice(cut), restored)).toEqual(expected);
      }),
    );
    expect(found).toBeGreaterThan(0);
  });

  test('needs all of these steps, in the worst case', () => {
    // A spike that was judged by 64 losses as old as a window reaches, then calm up to the last step of the re-arming.
    const quiet = Array.from({ length: 64 }, (_, at) => ({ step: 64 + at }));
    const steps = [...losses(64), ...quiet, { step: 128, loss: 9 }, ...losses(63, 129)];
    expect(steps).toHaveLength(DETECTOR_MEMORY_STEPS);
    const again = { step: 192, loss: 900 };
    const restored = (missing: number) => {
      const detector = new Detector();
      judge(steps.slice(missing), detector);
      return detector.observe(again);
    };
    expect(restored(0)).toEqual([]);
    expect(restored(1)).toMatchObject([{ rule: 'loss-spike', step: 192 }]);
  });

  test('whatever it is fed, does not throw and reports finite evidence at the step it was fed', () => {
    const wild = fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), signals), { maxLength: 400, size: 'max' });
    fc.assert(
      fc.property(wild, (steps) => {
        const detector = new Detector();
        for (const [step, fields] of steps) {
          for (const finding of detector.observe({ step, ...fields })) {
            expect(finding.step).toBe(step);
            expect(Object.values(finding.evidence).every(Number.isFinite)).toBe(true);
          }
        }
      }),
    );
  });

  test('that rewinds goes on as one that never saw what it forgot', () => {
    fc.assert(
      fc.property(
        run(2, DETECTOR_MEMORY_STEPS),
        fc.nat(),
        fc.array(signals, { maxLength: 50 }),
        (steps, at, detour) => {
          const turn = at % steps.length;
          const from = steps[turn]?.step ?? 0;
          const detector = new Detector();
          const findings = judge(steps.slice(0, turn), detector);
          judge(
            detour.map((fields, after) => ({ step: from + after, ...fields })),
            detector,
          );
          expect([...findings, ...judge(steps.slice(turn), detector)]).toEqual(judge(steps));
        },
      ),
    );
  });

  test('that rewinds behind a finding reports it again', () => {
    const detector = new Detector();
    expect(judge(powerLaw(3, 0, 100), detector)).toMatchObject([{ step: 80 }]);
    expect(judge(powerLaw(3, 60, 100), detector)).toMatchObject([{ step: 80 }]);
  });
});
