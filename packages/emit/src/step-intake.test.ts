import { encodeSteps, stepEvent } from '@evenkeel/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StepIntake } from './step-intake.ts';
import { warnOnce } from './warn.ts';

function intake(layers = 0) {
  const warnings: string[] = [];
  return {
    warnings,
    intake: new StepIntake(
      layers,
      warnOnce((message) => void warnings.push(message)),
    ),
  };
}

test('time is filled in, and kept where it is given', () => {
  const before = Date.now();
  const { intake: door } = intake();
  expect(door.take({ step: 1 })?.time).toBeGreaterThanOrEqual(before);
  expect(door.take({ step: 1, time: 42 })?.time).toBe(42);
});

test('a step is copied, so that a trainer may use its arrays again', () => {
  const { intake: door } = intake(2);
  const layerGradVar = [1, 2];
  const step = door.take({ step: 1, layerGradVar });
  layerGradVar[0] = 9;
  expect(step?.layerGradVar).toEqual([1, 2]);
});

test('what a tensor library hands out is taken', () => {
  const { intake: door } = intake(2);
  const quantiles = Float64Array.from({ length: 9 }, (_, at) => at);
  const step = door.take({ step: 1, tevQuantiles: quantiles, layerGradVar: new Float32Array([1, 0.5]) });
  expect(step).toMatchObject({ tevQuantiles: [0, 1, 2, 3, 4, 5, 6, 7, 8], layerGradVar: [1, 0.5] });
});

test('non-finite values are values', () => {
  const { intake: door, warnings } = intake();
  expect(door.take({ step: 1, loss: Number.NaN, gradNorm: Number.POSITIVE_INFINITY })).toMatchObject({
    loss: Number.NaN,
    gradNorm: Number.POSITIVE_INFINITY,
  });
  expect(warnings).toEqual([]);
});

test.each([
  [{ step: -1 }, 'step'],
  [{ step: 1.5 }, 'step'],
  [{ step: 1, loss: '2.5' }, 'loss'],
  [{ step: 1, time: 'now' }, 'time'],
  [{ step: 1, tokens: Number.NaN }, 'tokens'],
  [{ step: 1, tevQuantiles: [1, 2] }, 'tevQuantiles'],
  [{ step: 1, layerGradVar: [1, 2] }, 'layerGradVar'],
  [{ step: 1, custom: { '': 1 } }, 'custom'],
  [{ step: 1, custom: { accuracy: 'high' } }, 'custom.accuracy'],
])('%o is dropped with a warning that names %s', (step, field) => {
  const { intake: door, warnings } = intake(3);
  expect(door.take(step)).toBeNull();
  expect(door.take(step)).toBeNull();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(`a step was dropped: ${field}`);
});

test('an array is not walked before its length is checked', () => {
  const { intake: door, warnings } = intake();
  expect(door.take({ step: 1, tevQuantiles: new Array(2 ** 32 - 1) })).toBeNull();
  expect(warnings).toEqual([`a step was dropped: tevQuantiles: has ${2 ** 32 - 1} values, at most 512 are taken`]);
});

test('a run that names no layers keeps its steps, without what is by layer', () => {
  const { intake: door, warnings } = intake(0);
  for (const step of [1, 2]) {
    expect(door.take({ step, loss: 3, layerGradVar: [1, 2] })).toMatchObject({ step, loss: 3, layerGradVar: null });
  }
  expect(warnings).toEqual(['layerGradVar is left out: startRun was given no layers']);
});

test('custom scalars beyond 256 names in the life of a run are left out, with one warning', () => {
  const { intake: door, warnings } = intake();
  const scalars = (from: number, to: number) =>
    Object.fromEntries(Array.from({ length: to - from }, (_, at) => [`scalar ${from + at}`, at]));
  const names = (custom: Record<string, number>) => Object.keys(door.take({ step: 1, custom })?.custom ?? {}).length;
  expect(names(scalars(0, 200))).toBe(200);
  expect(names(scalars(100, 300))).toBe(156); // 100 known ones and the 56 that still fit
  expect(names(scalars(300, 600))).toBe(0);
  expect(names(scalars(0, 256))).toBe(256);
  expect(warnings).toHaveLength(1);
});

test('the names of a step that is dropped do not count', () => {
  const { intake: door, warnings } = intake();
  const scalars = (prefix: string) => Object.fromEntries(Array.from({ length: 256 }, (_, at) => [prefix + at, at]));
  expect(door.take({ step: -1, custom: scalars('a') })).toBeNull();
  expect(Object.keys(door.take({ step: 1, custom: scalars('b') })?.custom ?? {})).toHaveLength(256);
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
  const { intake: door } = intake();
  fc.assert(
    fc.property(fc.oneof(event, fc.anything()), (input) => {
      const step = door.take(input);
      if (!step) return;
      expect(stepEvent.safeParse(step).success).toBe(true);
      encodeSteps({ run: '01990000-0000-7000-8000-000000000000', attempt: 1, steps: [step] });
    }),
    { numRuns: 2_000 },
  );
});

test('a step whose properties throw is dropped', () => {
  const { intake: door, warnings } = intake();
  const hostile = {
    get step(): number {
      throw { toString: null };
    },
  };
  const { proxy, revoke } = Proxy.revocable({ step: 1 }, {});
  revoke();
  expect(door.take(hostile)).toBeNull();
  expect(door.take(proxy)).toBeNull();
  expect(warnings).toEqual(['a step was dropped: it cannot be read']);
});
