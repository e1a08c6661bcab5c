import { DropCount, encodeSteps, MAX_CUSTOM_SCALARS, stepEvent } from '@evenkeel/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StepIntake } from './step-intake.ts';
import { warnWithCount } from './warn.ts';

function createIntake(layers = 0) {
  const warnings: string[] = [];
  const drops = new DropCount();
  return {
    warnings,
    drops,
    intake: new StepIntake(
      layers,
      drops,
      warnWithCount((message) => void warnings.push(message)),
    ),
  };
}

test('time is filled in, and kept where it is given', () => {
  const before = Date.now();
  const { intake } = createIntake();
  expect(intake.take({ step: 1 })?.time).toBeGreaterThanOrEqual(before);
  expect(intake.take({ step: 1, time: 1e11 })?.time).toBe(1e11);
});

test('a step is copied, so that a trainer may use its arrays again', () => {
  const { intake } = createIntake(2);
  const layerGradVar = [1, 2];
  const step = intake.take({ step: 1, layerGradVar });
  layerGradVar[0] = 9;
  expect(step?.layerGradVar).toEqual([1, 2]);
});

test('what a tensor library hands out is taken', () => {
  const { intake } = createIntake(2);
  const quantiles = Float64Array.from({ length: 9 }, (_, at) => at);
  const step = intake.take({ step: 1, tevQuantiles: quantiles, layerGradVar: new Float32Array([1, 0.5]) });
  expect(step).toMatchObject({ tevQuantiles: [0, 1, 2, 3, 4, 5, 6, 7, 8], layerGradVar: [1, 0.5] });
});

test('non-finite values are values', () => {
  const { intake, warnings } = createIntake();
  expect(intake.take({ step: 1, loss: Number.NaN, gradNorm: Number.POSITIVE_INFINITY })).toMatchObject({
    loss: Number.NaN,
    gradNorm: Number.POSITIVE_INFINITY,
  });
  expect(warnings).toEqual([]);
});

test.each([
  [{ step: 1.5 }, 'step', 'not a whole number'],
  [{ step: '1' }, 'step', 'not a whole number'],
  [{}, 'step', 'not a whole number'],
  [null, 'step', 'not an object'],
])('%o has no step number: it is dropped, warned of and counted', (step, field, reason) => {
  const { intake, warnings, drops } = createIntake();
  for (let time = 0; time < 2; time++) expect(intake.take(step)).toBeNull();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(`a step was dropped: ${field}: `);
  expect(drops.values()).toEqual([{ field, reason, count: 2 }]);
});

const getter = {
  get accuracy(): number {
    throw { toString: null };
  },
};
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

test.each<[string, object, string, string]>([
  ['undefined in an array', { layerOutVar: [1, undefined, 3] }, 'layerOutVar', 'not a number'],
  ['a BigInt', { lr: 1n }, 'lr', 'not a number'],
  ['a string', { lr: '2.5' }, 'lr', 'not a number'],
  ['a time that is none', { time: 'now' }, 'time', 'not a number'],
  ['a time in seconds', { time: 1_700_000_000 }, 'time', 'not in milliseconds'],
  ['half a token', { tokens: 0.5 }, 'tokens', 'not a whole number'],
  ['too few quantiles', { tevQuantiles: [1, 2] }, 'tevQuantiles', 'wrong length'],
  ['too few layers', { layerGradVar: [1, 2] }, 'layerGradVar', 'wrong length'],
  ['an endless array', { tevQuantiles: new Array(2 ** 32 - 1) }, 'tevQuantiles', 'wrong length'],
  ['an empty name', { custom: { '': 1, kept: 2 } }, 'custom.', 'bad name'],
  ['a name too long', { custom: { ['x'.repeat(501)]: 1, kept: 2 } }, `custom.${'x'.repeat(200)}`, 'bad name'],
  ['a custom scalar that is no number', { custom: { accuracy: 'high', kept: 2 } }, 'custom.accuracy', 'not a number'],
  [
    'a getter that throws',
    Object.defineProperty({ kept: 1 }, 'lr', { get: () => getter.accuracy, enumerable: true }),
    'lr',
    'cannot be read',
  ],
  [
    'a scalar whose getter throws',
    { custom: Object.defineProperties({ kept: 2 }, Object.getOwnPropertyDescriptors(getter)) },
    'custom.accuracy',
    'cannot be read',
  ],
  ['a revoked proxy as an array', { layerGradVar: revoked() }, 'layerGradVar', 'cannot be read'],
  ['a revoked proxy of scalars', { custom: revoked() }, 'custom', 'cannot be read'],
])('a bad value costs itself, not the step: %s', (_, wrong, field, reason) => {
  const { intake, warnings, drops } = createIntake(3);
  const input = Object.defineProperties({ step: 7, loss: 2.5 }, Object.getOwnPropertyDescriptors(wrong));
  for (let time = 0; time < 2; time++) {
    const step = intake.take(input);
    expect(step).toMatchObject({ step: 7, loss: 2.5 });
    if ('custom' in wrong && field !== 'custom') expect(step?.custom).toEqual({ kept: 2 });
    else expect(step).not.toHaveProperty(field === 'time' ? 'lr' : field);
  }
  expect(drops.values()).toEqual([{ field, reason, count: 2 }]);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(`a value was left out: ${field}: `);
});

test('a run that names no layers keeps its steps, without what is by layer', () => {
  const { intake, warnings, drops } = createIntake(0);
  for (const step of [1, 2]) {
    const taken = intake.take({ step, loss: 3, layerGradVar: [1, 2] });
    expect(taken).toMatchObject({ step, loss: 3 });
    expect(taken).not.toHaveProperty('layerGradVar');
  }
  expect(warnings).toEqual([
    expect.stringMatching(/^a value was left out: layerGradVar: .*startRun was given no layers$/),
  ]);
  expect(drops.values()).toEqual([{ field: 'layerGradVar', reason: 'wrong length', count: 2 }]);
});

const scalars = (from: number, to: number) =>
  Object.fromEntries(Array.from({ length: to - from }, (_, at) => [`scalar ${from + at}`, at]));

test('custom scalars beyond the names that a run may have are left out and counted, with one warning', () => {
  const { intake, warnings, drops } = createIntake();
  const names = (custom: Record<string, number>) => Object.keys(intake.take({ step: 1, custom })?.custom ?? {}).length;
  expect(names(scalars(0, 9_000))).toBe(9_000);
  expect(names(scalars(8_500, 9_500))).toBe(1_000);
  expect(names(scalars(9_400, 10_005))).toBe(600); // 100 known ones and the 500 that still fit
  expect(names(scalars(20_000, 20_003))).toBe(0);
  expect(names(scalars(0, MAX_CUSTOM_SCALARS))).toBe(MAX_CUSTOM_SCALARS);
  expect(warnings).toHaveLength(1);
  expect(drops.total).toBe(8);
  expect(drops.values()[0]).toEqual({ field: 'custom.scalar 10000', reason: 'too many names', count: 1 });
});

test('the names of a step that is dropped do not count', () => {
  const { intake, warnings } = createIntake();
  expect(intake.take({ step: 0.5, custom: scalars(0, MAX_CUSTOM_SCALARS) })).toBeNull();
  const custom = scalars(MAX_CUSTOM_SCALARS, 2 * MAX_CUSTOM_SCALARS);
  expect(Object.keys(intake.take({ step: 1, custom })?.custom ?? {})).toHaveLength(MAX_CUSTOM_SCALARS);
  expect(warnings).toHaveLength(1); // of the dropped step
});

test('what comes through can be encoded and passes the schema; junk is null, never an error', () => {
  const value = fc.oneof(fc.anything(), fc.double(), fc.array(fc.double(), { maxLength: 20 }));
  const event = fc.record(
    {
      step: fc.oneof(fc.nat(), value),
      time: fc.oneof(fc.nat(), value),
      loss: value,
      tokens: value,
      tevQuantiles: fc.oneof(fc.array(fc.double(), { minLength: 9, maxLength: 9 }), value),
      layerGradVar: value,
      custom: fc.oneof(fc.dictionary(fc.string(), fc.oneof(fc.double(), value)), value),
    },
    { requiredKeys: [] },
  );
  const { intake } = createIntake();
  fc.assert(
    fc.property(fc.oneof(event, fc.anything()), (input) => {
      const step = intake.take(input);
      if (!step) return;
      expect(stepEvent.safeParse(step).success).toBe(true);
      encodeSteps({ run: '01990000-0000-7000-8000-000000000000', attempt: 1, steps: [step] });
    }),
    { numRuns: 2_000 },
  );
});

test('a step whose number cannot be read is dropped', () => {
  const { intake, warnings, drops } = createIntake();
  const hostile = Object.defineProperty({ loss: 1 }, 'step', { get: () => getter.accuracy });
  expect(intake.take(hostile)).toBeNull();
  expect(intake.take(revoked())).toBeNull();
  expect(warnings).toEqual(['a step was dropped: step: it throws when it is read']);
  expect(drops.values()).toEqual([{ field: 'step', reason: 'cannot be read', count: 2 }]);
});
