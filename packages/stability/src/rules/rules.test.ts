import { describe, expect, test } from 'vitest';
import { Detector } from '../detector.ts';
import { Trial } from '../trial.ts';
import { CALM, clockRule, positive, type Rule, stepRule } from './rule.ts';
import { findRule, RULES, stepRulesOf } from './rules.ts';
import { settingsSchema } from './settings.ts';

/** What the file of a new rule holds. */
const lowRate = stepRule({
  name: 'low-rate',
  title: 'Low rate',
  what: 'The learning rate is below a floor.',
  formula: 'lr < floor',
  source: 'this test',
  settings: { warning: positive(1e-4, 'Warning below', 'lr'), critical: positive(1e-3, 'Critical below', 'lr') },
  ascending: [['warning', 'critical']],
  evidence: { lr: ['learning rate', 'number'] },
  isAnswered: true,
  marks: 'lr',
  create: ({ warning }, state) => {
    let seen = typeof state === 'number' ? state : 0;
    return {
      observe: ({ step, lr }) => {
        if (lr == null) return null;
        seen += 1;
        if (lr >= warning) return CALM;
        const explain = () => ({
          message: `learning rate ${lr} after ${seen} steps`,
          evidence: { lr },
          from: step,
          risk: null,
          divergenceStep: null,
        });
        return { level: 'warning', explain };
      },
      state: () => seen,
    };
  },
});

const slept = clockRule({
  name: 'slept',
  title: 'Slept',
  what: 'No step for a while.',
  formula: 'silence > seconds',
  source: 'this test',
  settings: { seconds: positive(10, 'Warning after', 'seconds') },
  ascending: [],
  evidence: {},
  isAnswered: false,
  marks: 'loss',
  create: ({ seconds }) => {
    let last: { step: number; time: number } | null = null;
    return {
      observe: ({ step, time }) => {
        last = { step, time: time ?? 0 };
      },
      elapse: (now) =>
        last && {
          step: last.step,
          assessment: { ...CALM, level: now - last.time > 1e3 * seconds ? 'warning' : 'uneasy' },
        },
      state: () => null,
    };
  },
});

const rules: readonly Rule[] = [...RULES, lowRate, slept];
const falling = Array.from({ length: 10 }, (_, step) => ({ step, time: 1e3 * step, lr: step < 5 ? 1 : 1e-5 }));

describe('a rule that is added to the list', () => {
  test('judges in a detector, with what it is set to, and goes on from its state', () => {
    const detector = new Detector({}, { rules });
    const verdicts = falling.slice(0, 6).flatMap((step) => detector.observe(step));
    expect(verdicts).toMatchObject([
      { kind: 'opened', finding: { rule: 'low-rate', severity: 'warning', step: 5, evidence: { lr: 1e-5 } } },
    ]);
    expect(detector.openRules()).toEqual(['low-rate']);
    const restored = Detector.restore(JSON.parse(JSON.stringify(detector.state())), {}, rules);
    expect(restored.openRules()).toEqual(['low-rate']);
    expect(restored.state()).toEqual(detector.state());
    const tuned = new Detector({ 'low-rate': { warning: 1e-6 } }, { rules });
    expect(falling.flatMap((step) => tuned.observe(step))).toEqual([]);
    const off = new Detector({ 'low-rate': { enabled: false } }, { rules });
    expect(falling.flatMap((step) => off.observe(step))).toEqual([]);
  });

  test('judges by the clock where it is of that kind, and its alert resolves with the next step', () => {
    const detector = new Detector({ slept: { seconds: 5 } }, { rules });
    detector.observe({ step: 3, time: 0, lr: 1 });
    expect(detector.elapse(4_000)).toEqual([]);
    expect(detector.elapse(6_000)).toMatchObject([{ kind: 'opened', finding: { rule: 'slept', step: 3 } }]);
    expect(detector.observe({ step: 4, time: 7_000, lr: 1 })).toMatchObject([{ kind: 'resolved', rule: 'slept' }]);
  });

  test('has settings that are parsed, limits that must grow included', () => {
    const schema = settingsSchema(rules);
    const settings = { 'low-rate': { enabled: true, warning: 1e-5, resolveSteps: 7 }, slept: { seconds: 1 } };
    expect(schema.parse(settings)).toEqual(settings);
    expect(schema.safeParse({ 'low-rate': { warning: 1 } }).error?.issues[0]).toMatchObject({
      path: ['low-rate', 'critical'],
      message: 'must not be below “Warning below”, which is 1',
    });
    expect(schema.safeParse({ slept: { resolveSteps: 1 } }).success).toBe(false);
  });

  test('is tried on recorded steps, unless it needs a clock', () => {
    const trial = new Trial([{ number: 1, firstStep: 0, hasEnded: true }], {}, stepRulesOf(rules));
    for (const step of falling) trial.observe(1, step);
    expect(trial.alerts).toEqual([{ rule: 'low-rate', severity: 'warning', attempt: 1, step: 5 }]);
  });
});

describe.each(RULES.map((rule): [string, Rule] => [rule.name, rule]))('%s', (name, rule) => {
  test('has a name that can be stored and found, and words for all that a person sees', () => {
    expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(findRule(name)).toBe(rule);
    for (const words of [rule.title, rule.what, rule.formula, rule.source]) expect(words).not.toBe('');
    for (const { label, unit } of Object.values(rule.settings)) expect([label, unit]).not.toContain('');
  });

  test('has settings whose labels each say what they limit, without the one before', () => {
    const labels = Object.values(rule.settings).map(({ label }) => label);
    expect(new Set(labels).size).toBe(labels.length);
    for (const label of labels) expect(label).toMatch(/^[A-Z]/);
  });

  test('has defaults that its own schema takes, and chains of settings that it has', () => {
    for (const setting of Object.values(rule.settings)) setting.schema.parse(setting.default);
    for (const setting of rule.ascending.flat()) expect(Object.keys(rule.settings)).toContain(setting);
  });
});

test('no two rules have one name, and evidence of one name means the same', () => {
  expect(new Set(RULES.map(({ name }) => name)).size).toBe(RULES.length);
  const words = new Map<string, unknown>();
  for (const rule of RULES) {
    for (const [name, meaning] of Object.entries(rule.evidence)) {
      expect(words.get(name) ?? meaning).toEqual(meaning);
      words.set(name, meaning);
    }
  }
});
