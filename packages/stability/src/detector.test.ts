import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Detector } from './detector.ts';
import { divergedAt } from './divergence.ts';
import type { Finding, Verdict } from './finding.ts';
import { RULE_NAMES, type RuleName } from './rules/rules.ts';
import type { RuleSettings } from './rules/settings.ts';
import type { Signals } from './signals.ts';

function judge(steps: Iterable<Signals>, detector = new Detector()): Verdict[] {
  return Array.from(steps, (step) => detector.observe(step)).flat();
}

function findings(verdicts: readonly Verdict[]): Finding[] {
  return verdicts.flatMap((verdict) => (verdict.kind === 'resolved' ? [] : [verdict.finding]));
}

/** What happened to the alerts, in short: `opened warning 7`. */
function story(verdicts: readonly Verdict[]): string[] {
  return verdicts.map((verdict) =>
    verdict.kind === 'resolved'
      ? `resolved ${verdict.step}`
      : `${verdict.kind} ${verdict.finding.severity} ${verdict.finding.step}`,
  );
}

/** Only one rule, with these settings. */
function only<Name extends RuleName>(name: Name, settings: RuleSettings[Name] = {}): Detector {
  const off = Object.fromEntries(RULE_NAMES.map((other) => [other, { enabled: false }]));
  return new Detector({ ...off, [name]: { ...settings, enabled: true } });
}

/** TEV that grows like the root of the step up to step 200, from there doubles every 40 steps up to `until`, then rests. */
function ramp(until = 400, length = 400): Signals[] {
  return Array.from({ length }, (_, step) => {
    const doublings = Math.max(0, Math.min(step, until) - 200) / 40;
    return { step, tevMean: 0.02 * Math.min(step, 200) ** 0.5 * 2 ** doublings };
  });
}

/** Losses around 3 with a standard deviation of 0.1, the same at each call. */
function losses(count: number, from = 0): Signals[] {
  return Array.from({ length: count }, (_, at) => ({ step: from + at, loss: 3 + (at % 2 ? 0.1 : -0.1) }));
}

describe('tev-growth', () => {
  test('opens as a warning, escalates, and resolves once TEV rests', () => {
    const verdicts = judge(ramp(280, 900));
    expect(story(verdicts)).toEqual([
      expect.stringMatching(/^opened warning 2\d\d$/),
      expect.stringMatching(/^escalated critical 2\d\d$/),
      expect.stringMatching(/^resolved \d{3}$/),
    ]);
    const [warning, critical] = findings(verdicts);
    expect(critical?.step).toBeGreaterThan(warning?.step as number);
    expect(critical).toMatchObject({ rule: 'tev-growth', severity: 'critical' });
    expect(critical?.evidence.margin).toBeGreaterThanOrEqual(0);
    expect(critical?.risk).toBeGreaterThan(warning?.risk as number);
    expect(critical?.divergenceStep).toBeGreaterThan(critical?.step as number);
    expect(critical?.since).toBe(warning?.step);
    expect(critical?.from).toBe((critical?.step as number) - 63);
    expect(critical?.message).toContain('risk of divergence within 100 steps');
  });

  test('opens at the margins that are set', () => {
    const [early] = findings(
      judge(ramp(), only('tev-growth', { calmMargin: -3, warningMargin: -2, criticalMargin: -1.5 })),
    );
    const [usual] = findings(judge(ramp(), only('tev-growth')));
    expect(early?.step).toBeLessThan(usual?.step as number);
    expect(judge(ramp(), only('tev-growth', { warningMargin: 1e9, criticalMargin: 1e9 }))).toEqual([]);
  });

  test('says nothing at steps without TEV, and stays open through them', () => {
    const detector = new Detector();
    const open = judge(ramp(), detector);
    expect(story(open).at(-1)).toMatch(/^escalated critical/);
    const blind = Array.from({ length: 300 }, (_, at) => ({ step: 400 + at, loss: 3 }));
    expect(judge(blind, detector)).toEqual([]);
  });
});

describe('an alert', () => {
  const spike = (step: number) => ({ step, loss: 9 });

  test('that resolved opens again only after the cooldown', () => {
    const detector = () => only('loss-spike', { resolveSteps: 10, cooldownSteps: 50 });
    const calm = (from: number, to: number) => losses(to - from, from);
    const start = [...losses(100), spike(100), ...calm(101, 140)];
    expect(story(judge(start, detector()))).toEqual(['opened warning 100', 'resolved 111']);
    const soon = [...start, spike(140), ...calm(141, 161)];
    expect(story(judge(soon, detector()))).toHaveLength(2);
    const later = [...start, ...calm(140, 240), spike(240)];
    expect(story(judge(later, detector())).slice(2)).toEqual(['opened warning 240']);
  });

  test('that was a warning lets through what is worse during its cooldown', () => {
    const detector = only('grad-variance', { resolveSteps: 0, cooldownSteps: 1000 });
    const variances = (value: number, count: number, from: number) =>
      Array.from({ length: count }, (_, at) => ({ step: from + at, gradVar: value * (at % 2 ? 1.1 : 0.9) }));
    const wave = (from: number, value: number) => [...variances(1, 100, from), ...variances(value, 12, from + 100)];
    const steps = [wave(0, 1.8), wave(112, 1.8), wave(224, 1e6), wave(336, 1e6)].flat();
    const severities = findings(judge(steps, detector)).map(({ severity }) => severity);
    expect(severities).toEqual(['warning', 'critical']);
  });

  test('resolves when the run is rewound to before it, and may open again at once', () => {
    const detector = only('loss-spike');
    expect(story(judge([...losses(100), spike(100)], detector))).toEqual(['opened warning 100']);
    expect(story(judge([...losses(10, 90), spike(100)], detector))).toEqual(['resolved 90', 'opened warning 100']);
  });

  test('stays open when the run is rewound to after it', () => {
    const detector = only('loss-spike');
    judge([...losses(100), spike(100), ...losses(5, 101)], detector);
    expect(judge([{ step: 103, loss: 3 }, spike(104)], detector)).toEqual([]);
  });

  test('resolves when another attempt goes on, which is then judged by its own steps alone', () => {
    const detector = only('tev-growth');
    const steps = ramp();
    const opened = steps.findIndex((step) => detector.observe(step).some(({ kind }) => kind === 'escalated'));
    const next = opened + 1;
    expect(story(detector.newAttempt(next))).toEqual([`resolved ${next}`]);
    expect(detector.newAttempt(next)).toEqual([]);
    const [again] = findings(judge(steps.slice(next), detector));
    expect(again?.from).toBeGreaterThanOrEqual(next);
    expect(again?.step).toBeGreaterThanOrEqual(next + 14);

    const calmed = only('tev-growth');
    for (const step of steps.slice(0, next)) calmed.observe(step);
    calmed.newAttempt(next);
    const rest = steps.slice(next).map(({ step }) => ({ step, tevMean: steps[opened]?.tevMean }));
    expect(judge(rest, calmed)).toEqual([]);
  });

  test('that was not open leaves its rule with all it knows when another attempt goes on', () => {
    const [interrupted, whole] = [only('tev-growth'), only('tev-growth')];
    for (const step of ramp().slice(0, 210)) for (const each of [interrupted, whole]) each.observe(step);
    expect(interrupted.newAttempt(210)).toEqual([]);
    expect(interrupted.state()).toEqual(whole.state());
  });

  test('of a rule that is off never opens', () => {
    const off = new Detector({ 'loss-spike': { enabled: false }, 'tev-growth': { enabled: false } });
    expect(judge([...losses(100), spike(100)], off)).toEqual([]);
    expect(judge(ramp(), off)).toEqual([]);
  });
});

describe('loss-spike', () => {
  test('a loss above mean + 6 sigma is found, one below is not', () => {
    expect(judge([...losses(128), { step: 128, loss: 3.55 }])).toEqual([]);
    const [finding] = findings(judge([...losses(128), { step: 128, loss: 3.65 }]));
    expect(finding).toMatchObject({ rule: 'loss-spike', severity: 'warning', step: 128, from: 0, risk: null });
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
    const spikes = judge([...steps, { step: 128, loss: 9 }], only('loss-spike'));
    expect(findings(spikes)).toMatchObject([{ step: 128, evidence: { losses: 64 } }]);
  });

  test('a loss that stands still to the last float32 digit does not spike by rounding', () => {
    const still = Array.from({ length: 128 }, (_, step) => ({ step, loss: 2.3 }));
    expect(judge([...still, { step: 128, loss: 2.3 * (1 + 2 ** -23) }])).toEqual([]);
    expect(judge([...still, { step: 128, loss: 2.4 }])).toHaveLength(1);
  });

  test('a loss that rises and stays is critical after 40 steps, one that comes back is not', () => {
    const learned = Array.from({ length: 100 }, (_, step) => ({ step, loss: 6 - step / 50 }));
    const lost = (count: number) => Array.from({ length: count }, (_, at) => ({ step: 100 + at, loss: 5.5 }));
    const verdicts = judge([...learned, ...lost(60)], only('loss-spike'));
    expect(story(verdicts)).toEqual(['opened critical 144']); // the fifth of nine is the median; 40 steps on
    expect(findings(verdicts)).toMatchObject([{ divergenceStep: 104, from: 104 }]);
    const back = Array.from({ length: 100 }, (_, at) => ({ step: 138 + at, loss: 4 }));
    expect(judge([...learned, ...lost(38), ...back], only('loss-spike'))).toEqual([]);
  });

  test('measures what had been learned from the first loss on, as the label does', () => {
    const fall = [6, 5.8, 5.6, 5.4, 5.2, 5.1, 5, 5, 5];
    const steps = Array.from({ length: 200 }, (_, step) => ({ step, loss: fall[step] ?? (step < 100 ? 4 : 4.9) }));
    expect(divergedAt(steps)).toBeNull();
    expect(judge(steps, only('loss-spike'))).toEqual([]);
    const worse = steps.map(({ step, loss }) => ({ step, loss: step < 100 ? loss : 5.1 }));
    expect(divergedAt(worse)).toBe(104);
    expect(findings(judge(worse, only('loss-spike')))).toMatchObject([{ severity: 'critical', divergenceStep: 104 }]);
  });

  test('knows nothing of the best of steps that were rewound', () => {
    const detector = only('loss-spike');
    const level = (from: number, to: number, of: (step: number) => number) =>
      judge(
        Array.from({ length: to - from }, (_, at) => ({ step: from + at, loss: of(from + at) })),
        detector,
      );
    level(0, 100, (step) => 6 - step / 50);
    level(100, 130, () => 0.5);
    detector.newAttempt(95);
    expect(level(95, 200, () => 4.1)).toEqual([]);
    expect(story(level(200, 260, () => 5.5))).toEqual(['opened warning 200', 'escalated critical 244']);
  });

  test('is critical at no step up to which the label does not call the run diverged', () => {
    const part = fc.record({ losses: fc.nat(60), level: fc.double({ min: 1, max: 8, noNaN: true }) });
    const noise = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 7, maxLength: 11 });
    const parts = fc.array(part, { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(parts, noise, fc.constantFrom(1, 10), (parts, noise, every) => {
        const levels = parts.flatMap(({ losses, level }) => Array.from({ length: losses }, () => level));
        const steps = levels.map((level, at) => ({ step: at * every, loss: level + Number(noise[at % noise.length]) }));
        for (const { severity, step } of findings(judge(steps, only('loss-spike'))))
          if (severity === 'critical')
            expect(divergedAt(steps.filter((signals) => signals.step <= step))).not.toBeNull();
      }),
      { numRuns: 500 },
    );
  });
});

describe('a calm wave of the loss', () => {
  /** Around 2 nats; what `rises` says is added to each loss. */
  const wave = (amplitude: number, period: number, phase: number, rises: (step: number) => number = () => 0) =>
    Array.from({ length: 4000 }, (_, step) => ({
      step,
      loss: 2 + amplitude * Math.sin((2 * Math.PI * step) / period + phase) + rises(step),
    }));
  const phases = [0, 1, 2, 3, 4, 5, 6];
  const criticals = (steps: readonly Signals[]) =>
    findings(judge(steps, only('loss-spike'))).filter(({ severity }) => severity === 'critical');

  test('of 0.25 nats is never critical, whatever its period and where it begins', () => {
    for (const period of [60, 200, 2 * Math.PI * 60, 1000])
      for (const phase of phases)
        expect([period, phase, criticals(wave(0.25, period, phase))]).toEqual([period, phase, []]);
  });

  test('of any height is not critical any more once the run has come back from a whole crest', () => {
    for (const amplitude of [0.5, 1])
      for (const phase of phases) {
        const late = criticals(wave(amplitude, 400, phase)).filter(({ step }) => step > 2 * 400);
        expect([amplitude, phase, late]).toEqual([amplitude, phase, []]);
      }
  });

  test('hides no divergence: a rise far above its crests is one after 40 steps', () => {
    const steps = wave(0.25, 400, 0, (step) => (step >= 3000 ? 4 : 0));
    expect(criticals(steps)).toMatchObject([{ step: 3044, divergenceStep: 3004 }]);
  });

  test('hides no rise that stays: one as high as its crests is lost after one and a half of the longest of them', () => {
    const steps = wave(0.5, 400, 0).map(({ step, loss }) => ({ step, loss: step >= 2900 ? 2.5 : loss }));
    const [first, last] = [criticals(steps)[0], criticals(steps).at(-1)];
    expect(first?.step).toBeLessThan(800);
    expect(last?.step).toBeGreaterThan(2900);
    expect(last?.step).toBeLessThan(3400);
  });
});

describe('attention-collapse', () => {
  const logits = (...values: (number | null)[]) =>
    values.map((attentionLogitMax, step) => ({ step, attentionLogitMax }));

  test('warns above 100, stays open between 80 and 100, and resolves after 30 calm steps', () => {
    const detector = only('attention-collapse');
    const rest = (logit: number, count: number) => Array.from({ length: count }, () => logit);
    const verdicts = judge(logits(12, 100, 101, ...rest(90, 100), ...rest(80, 40)), detector);
    expect(story(verdicts)).toEqual(['opened warning 2', 'resolved 133']);
    expect(findings(verdicts)).toMatchObject([
      { evidence: { attentionLogitMax: 101 }, risk: null, divergenceStep: null },
    ]);
    expect(findings(verdicts)[0]?.message).toContain('101');
  });

  test('takes an infinite logit for one that is too great, and says nothing of none', () => {
    expect(story(judge(logits(12, Number.POSITIVE_INFINITY), only('attention-collapse')))).toEqual([
      'opened warning 1',
    ]);
    expect(judge(logits(null, Number.NaN, 99), only('attention-collapse'))).toEqual([]);
  });

  test('warns at the limit that is set', () => {
    const detector = only('attention-collapse', { calm: 20, warning: 30 });
    expect(story(judge(logits(30, 31), detector))).toEqual(['opened warning 1']);
  });
});

describe('update-too-large', () => {
  const shares = (of: (step: number) => number, length = 100, every = 1) =>
    Array.from({ length }, (_, at) => ({ step: at * every, updateShare: of(at * every) }));

  test('warns at the third step above 7.5 %, not at two', () => {
    const verdicts = judge(
      shares((step) => (step >= 50 ? 0.08 : 0.01)),
      only('update-too-large'),
    );
    expect(story(verdicts)).toEqual(['opened warning 52']);
    expect(findings(verdicts)).toMatchObject([{ from: 50, evidence: { updateShare: 0.08, since: 50 } }]);
    expect(findings(verdicts)[0]?.message).toBe('updates are 8 % of the weights, above 7.5 % since step 50');
    const twice = shares((step) => (step % 10 < 2 && step >= 50 ? 0.08 : 0.01));
    expect(judge(twice, only('update-too-large'))).toEqual([]);
  });

  test('passes over the first 14 steps that report it', () => {
    expect(
      judge(
        shares(() => 0.2, 16),
        only('update-too-large'),
      ),
    ).toEqual([]);
    expect(
      story(
        judge(
          shares(() => 0.2, 17),
          only('update-too-large'),
        ),
      ),
    ).toEqual(['opened warning 16']);
    const resumed = shares(() => 0.2, 17).map((signals) => ({ ...signals, step: 5000 + signals.step }));
    expect(story(judge(resumed, only('update-too-large')))).toEqual(['opened warning 5016']);
  });

  test('passes over the first 14 steps of a later attempt, whose optimizer may have lost its state', () => {
    const resumed = (length: number) => {
      const detector = only('update-too-large');
      judge(
        shares(() => 0.01),
        detector,
      );
      detector.newAttempt(100);
      return story(
        judge(
          shares(() => 0.2, length).map((signals) => ({ ...signals, step: 100 + signals.step })),
          detector,
        ),
      );
    };
    expect(resumed(16)).toEqual([]);
    expect(resumed(17)).toEqual(['opened warning 116']);
  });

  test('needs two reports where steps are logged seldom', () => {
    const verdicts = judge(
      shares((step) => (step >= 50 ? 0.08 : 0.01), 20, 10),
      only('update-too-large'),
    );
    expect(story(verdicts)).toEqual(['opened warning 60']);
  });

  test('resolves once updates are below half of the limit for 30 steps', () => {
    const share = (step: number) => (step < 30 || step >= 120 ? 0.01 : step < 60 ? 0.1 : 0.05);
    const verdicts = judge(shares(share, 200), only('update-too-large'));
    expect(story(verdicts)).toEqual(['opened warning 32', 'resolved 150']);
  });

  test('begins its count again where the run is rewound', () => {
    const detector = only('update-too-large');
    judge(
      shares((step) => (step >= 30 ? 0.1 : 0.01), 32),
      detector,
    );
    expect(
      judge(
        [
          { step: 30, updateShare: 0.1 },
          { step: 31, updateShare: 0.1 },
        ],
        detector,
      ),
    ).toEqual([]);
    expect(story(judge([{ step: 32, updateShare: 0.1 }], detector))).toEqual(['opened warning 32']);
  });
});

describe('loss-lost', () => {
  /** Learns from 6 down to 3 over 150 steps, and from step 200 on loses 0.05 nats a step. */
  const loss = (step: number) => 6 - (3 * Math.min(step, 150)) / 150 + 0.05 * Math.max(0, step - 200);
  const run = (of: (step: number) => Omit<Signals, 'step' | 'loss'>, length = 300): Signals[] =>
    Array.from({ length }, (_, step) => ({ step, loss: loss(step), ...of(step) }));
  /** Grows by 8 % a step from step 200 on. */
  const growing = (step: number) => 1.08 ** Math.max(0, step - 200);

  test('sees in loss and gradient norm that half of what was learned is lost, at once', () => {
    const verdicts = judge(
      run((step) => ({ gradNorm: growing(step) })),
      only('loss-lost'),
    );
    const critical = findings(verdicts).find(({ severity }) => severity === 'critical');
    // of the 2.98 nats between the median of the first three losses and the best, half is lost after step 229.8; the
    // median of five losses shows it two steps later
    expect(critical).toMatchObject({ step: 232, risk: null, divergenceStep: null });
    expect(critical?.message).toMatch(/^the run is losing what it learned: loss 1\.5\d* nats above its best/);
    expect(critical?.evidence.learned).toBeCloseTo(2.98, 6);
  });

  test('is quiet while only one of the two grows, and knows nothing without either', () => {
    expect(
      judge(
        run(() => ({ gradNorm: 1 })),
        only('loss-lost'),
      ),
    ).toEqual([]);
    const steady = run((step) => ({ gradNorm: growing(step) })).map((step) => ({
      ...step,
      loss: loss(Math.min(step.step, 200)),
    }));
    expect(judge(steady, only('loss-lost'))).toEqual([]);
    expect(
      judge(
        run(() => ({})),
        only('loss-lost'),
      ),
    ).toEqual([]);
  });

  test('sees in loss and learning rate that it is being lost, before half of it is', () => {
    const [first] = findings(
      judge(
        run((step) => ({ lr: 1e-3 * growing(step) })),
        only('loss-lost'),
      ),
    );
    expect(first?.step).toBeGreaterThan(200);
    expect(first?.step).toBeLessThan(230);
    const critical = judge(
      run((step) => ({ lr: 1e-3 * growing(step) })),
      only('loss-lost'),
    );
    expect(findings(critical).at(-1)).toMatchObject({
      severity: 'critical',
      message: expect.stringContaining('learning rate x'),
    });
  });

  test('holds that back while the plan is not to raise the learning rate further', () => {
    const planned = (ahead: number) =>
      judge(
        run((step) => ({ lr: 1e-3 * growing(step), lrAhead: ahead * 1e-3 * growing(step) })),
        only('loss-lost'),
      );
    expect(findings(planned(1.08 ** 20)).at(-1)).toMatchObject({ severity: 'critical' });
    for (const ahead of [0.9, 0]) expect(findings(planned(ahead))).toEqual([]);
  });

  test('takes no learning rate for growing that only comes back to where it was', () => {
    const back = (step: number) => ({ lr: step < 150 ? 1e-2 : Math.min(1e-2, 1e-4 * growing(step)) });
    expect(judge(run(back), only('loss-lost'))).toEqual([]);
  });

  test('is silent where TEV is sent, and resolves what it had found once TEV comes', () => {
    const all = run((step) => ({ gradNorm: growing(step), lr: 1e-3 * growing(step) }));
    expect(
      judge(
        all.map((step) => ({ ...step, tevMean: 0.02 })),
        only('loss-lost'),
      ),
    ).toEqual([]);
    const seldom = all.map((step) => ({ ...step, tevMean: step.step === 50 ? 0.02 : null }));
    expect(judge(seldom, only('loss-lost'))).toEqual([]);
    const late = [...all, ...run(() => ({ tevMean: 0.02 }), 450).slice(300)];
    expect(story(judge(late, only('loss-lost'))).at(-1)).toBe('resolved 400');
  });

  test('judges a run by what is left of it where its TEV is rewound', () => {
    const detector = only('loss-lost');
    judge([{ step: 0, loss: 6, tevMean: 0.02 }], detector);
    expect(
      findings(
        judge(
          run((step) => ({ gradNorm: growing(step) })),
          detector,
        ),
      ).at(-1),
    ).toMatchObject({ severity: 'critical' });
  });

  test('knows nothing of the best of steps that were rewound', () => {
    const detector = only('loss-lost');
    const level = (from: number, to: number, of: (step: number) => Signals) =>
      judge(
        Array.from({ length: to - from }, (_, at) => of(from + at)),
        detector,
      );
    level(0, 200, (step) => ({ step, loss: 6 - step / 100, gradNorm: 1 }));
    level(200, 240, (step) => ({ step, loss: 0.5, gradNorm: 1 }));
    detector.newAttempt(195);
    expect(level(195, 300, (step) => ({ step, loss: 4.05, gradNorm: step < 210 ? 1 : 3.2 }))).toEqual([]);
  });
});

describe('grad-variance', () => {
  const noisy = (count: number, factor = 1, from = 0) =>
    Array.from({ length: count }, (_, at) => ({ step: from + at, gradVar: factor * Math.exp(at % 2 ? 0.2 : -0.2) }));

  test('five steps far above the 64 before are found, a single one is not', () => {
    const detector = () => only('grad-variance');
    expect(judge([...noisy(69), ...noisy(1, 20, 69), ...noisy(40, 1, 70)], detector())).toEqual([]);
    const [finding] = findings(judge([...noisy(69), ...noisy(5, 20, 69)], detector()));
    expect(finding).toMatchObject({ rule: 'grad-variance', from: expect.any(Number) });
    expect(finding?.evidence.sigmas).toBeGreaterThan(4.5);
  });

  test('needs 37 gradient variances, and leaves out what has no logarithm', () => {
    expect(judge([...noisy(31), ...noisy(5, 1e3, 31)], only('grad-variance'))).toEqual([]);
    expect(judge([...noisy(32), ...noisy(5, 1e3, 32)], only('grad-variance'))).not.toEqual([]);
    const unusable = [0, -1, Number.NaN, null, Number.POSITIVE_INFINITY].map((gradVar, at) => ({
      step: 69 + at,
      gradVar,
    }));
    expect(judge([...noisy(69), ...unusable], only('grad-variance'))).toEqual([]);
  });
});

describe('the floor of grad-variance', () => {
  /** Gradient variances that hardly scatter, and are greater by a factor in the last five steps. */
  const still = (factor: number) =>
    Array.from({ length: 69 }, (_, step) => ({ step, gradVar: (1 + 1e-4 * (step % 2)) * (step >= 64 ? factor : 1) }));

  test('keeps a change of half a standard deviation of 0.1 quiet, however little the variances scattered before', () => {
    expect(judge(still(Math.exp(0.05)), only('grad-variance'))).toEqual([]);
    expect(judge(still(Math.exp(0.44)), only('grad-variance'))).toEqual([]);
  });

  test('is 0.1: a change of 4.6 times that is a warning, one of 6.1 times critical', () => {
    expect(findings(judge(still(Math.exp(0.46)), only('grad-variance')))).toMatchObject([
      { severity: 'warning', step: 68, evidence: { sigmas: expect.closeTo(4.6, 1) } },
    ]);
    expect(findings(judge(still(Math.exp(0.61)), only('grad-variance'))).at(-1)).toMatchObject({
      severity: 'critical',
      step: 68,
      evidence: { sigmas: expect.closeTo(6.1, 1) },
    });
  });
});

describe('non-finite', () => {
  test.each(['loss', 'tevMean', 'gradVar', 'gradNorm'] as const)('%s', (field) => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const verdicts = judge([
        { step: 7, [field]: 1.23456789 },
        { step: 8, [field]: value },
      ]);
      const finding = {
        rule: 'non-finite',
        severity: 'critical',
        step: 8,
        since: 8,
        message: `${field} is ${value}; last finite: ${field} 1.235`,
        evidence: { [field]: 1.23456789 },
        from: 7,
        risk: null,
        divergenceStep: null,
      };
      expect(verdicts).toEqual([{ kind: 'opened', finding }]);
    }
  });

  test('at the first step there is nothing to compare with', () => {
    expect(findings(judge([{ step: 0, loss: Number.NaN, gradNorm: Number.POSITIVE_INFINITY }]))).toMatchObject([
      { message: 'loss is NaN, gradNorm is Infinity', evidence: {}, from: 0 },
    ]);
  });

  test('a run that stays NaN is reported once', () => {
    const steps = Array.from({ length: 500 }, (_, step) => ({ step, loss: Number.NaN }));
    expect(judge(steps)).toHaveLength(1);
  });
});

describe('stalled', () => {
  const HOUR = 3_600_000;
  const steps = Array.from({ length: 100 }, (_, step) => ({ step, time: step * 1000 + (step >= 50 ? 20_000 : 0) }));
  const last = steps.at(-1)?.time as number;

  test('warns after five times the longest wait, is critical after twenty, and resolves at the next step', () => {
    const detector = only('stalled');
    expect(judge(steps, detector)).toEqual([]);
    expect(detector.elapse(last + 104_000)).toEqual([]); // 5 × 21 s
    expect(story(detector.elapse(last + 106_000))).toEqual(['opened warning 99']);
    expect(detector.elapse(last + 107_000)).toEqual([]);
    expect(story(detector.elapse(last + HOUR))).toEqual(['escalated critical 99']);
    expect(story(detector.observe({ step: 100, time: last + 2 * HOUR }))).toEqual(['resolved 100']);
    expect(detector.elapse(last + 2 * HOUR + 1000)).toEqual([]);
  });

  test('knows nothing of a run that has taken few steps, or whose steps carry no time', () => {
    const young = only('stalled');
    judge(steps.slice(0, 3), young);
    expect(young.elapse(HOUR)).toEqual([]);
    const timeless = only('stalled');
    judge(losses(100), timeless);
    expect(timeless.elapse(HOUR)).toEqual([]);
  });
});

describe('a detector', () => {
  const value = fc.oneof(
    { weight: 6, arbitrary: fc.double({ min: 0.01, max: 10, noNaN: true }) },
    { weight: 1, arbitrary: fc.constantFrom(null, undefined, 0, -1, 1e308, -1e308, 5e-324) },
    { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY) },
  );
  const signals = fc.record(
    {
      loss: value,
      tevMean: value,
      tevStd: value,
      gradVar: value,
      gradNorm: value,
      lr: value,
      lrAhead: value,
      updateShare: value,
      attentionLogitMax: value,
      time: value,
    },
    { requiredKeys: [] },
  );
  /** Runs that grow, jump, lack values and are logged at uneven intervals, so that every rule opens and resolves. */
  const run = (minLength: number, maxLength = 500) =>
    fc
      .tuple(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.boolean(), signals), {
          minLength,
          maxLength,
          size: 'max',
        }),
        fc.double({ min: 0, max: 5, noNaN: true }),
        fc.boolean(),
      )
      .map(([events, exponent, hasTev]) => {
        let step = 0;
        return events.map(([gap, wild, fields], at): Signals => {
          step += gap;
          const calm = {
            loss: 3 + Math.sin(at) / 10,
            gradVar: Math.exp(Math.sin(at)),
            gradNorm: Math.exp(Math.sin(at / 40)),
            lr: 1e-3 * (2 + Math.sin(at / 70)),
            updateShare: 0.08 * Math.abs(Math.sin(at / 60)),
            attentionLogitMax: 110 * Math.abs(Math.sin(at / 80)),
            ...(hasTev && { tevMean: 1e-3 * (step * (1 + Math.sin(at / 90) / 2)) ** exponent }),
          };
          if (at % 70 === 0 && wild) return { step, ...fields };
          return exponent > 3 && at > 100 ? { step, ...calm, loss: 9 } : { step, ...calm };
        });
      });

  test('restored from its state at any step, goes on as one that never stopped', () => {
    const kinds = new Set<string>();
    fc.assert(
      fc.property(run(2), fc.nat(), (steps, at) => {
        const cut = at % steps.length;
        const whole = new Detector();
        judge(steps.slice(0, cut), whole);
        const restored = Detector.restore(JSON.parse(JSON.stringify(whole.state())));
        const expected = judge(steps.slice(cut), whole);
        for (const { kind } of expected) kinds.add(kind);
        expect(judge(steps.slice(cut), restored)).toEqual(expected);
      }),
    );
    expect([...kinds].sort()).toEqual(['escalated', 'opened', 'resolved']);
  });

  test.each([true, false])('keeps less than 24 KiB, with TEV: %j', (hasTev) => {
    const detector = new Detector();
    const odd = (step: number) => 1 / 3 + 1 / (step + 1);
    for (let step = 0; step < 3000; step++)
      detector.observe({
        step,
        time: step * 1e3,
        loss: odd(step),
        tevMean: hasTev ? odd(step) : null,
        gradVar: odd(step),
        gradNorm: odd(step),
        lr: odd(step),
        updateShare: odd(step),
        attentionLogitMax: odd(step),
      });
    expect(JSON.stringify(detector.state()).length).toBeLessThan(24 * 1024);
  });

  test('whatever it is fed, does not throw and reports finite evidence at the step it was fed', () => {
    const wild = fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), signals), { maxLength: 400, size: 'max' });
    fc.assert(
      fc.property(wild, (steps) => {
        const detector = new Detector();
        for (const [step, fields] of steps) {
          for (const finding of findings(detector.observe({ step, ...fields }))) {
            expect(finding.step).toBe(step);
            expect(finding.from).toBeLessThanOrEqual(step);
            expect(Object.values(finding.evidence).every(Number.isFinite)).toBe(true);
            expect(finding.risk ?? 0).toBeLessThanOrEqual(1);
          }
        }
      }),
    );
  });
});

test('a jump of step numbers is no time in which the run was calm', () => {
  const detector = new Detector();
  detector.observe({ step: 0, loss: Number.NaN });
  detector.observe({ step: 1, loss: 2 });
  detector.leap();
  expect(detector.observe({ step: 10_000_000, loss: 2 })).toEqual([]);
  expect(detector.openRules()).toEqual(['non-finite']);
});

test('a value that comes late opens an alert at its step, once, and rewinds nothing', () => {
  const detector = new Detector();
  for (let step = 0; step < 100; step++) detector.observe({ step, loss: 2 });
  const before = detector.state();
  expect(detector.observeLate({ step: 50, loss: 3 })).toEqual([]);
  expect(detector.state()).toEqual(before);
  const late = { step: 50, gradNorm: Number.NaN };
  expect(detector.observeLate(late)).toMatchObject([{ kind: 'opened', finding: { rule: 'non-finite', since: 50 } }]);
  expect(detector.observeLate(late)).toEqual([]);
  expect(detector.state().step).toBe(99);
});
