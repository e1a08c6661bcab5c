import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DropCount } from './drop-count.ts';
import { stepEvent } from './step.ts';
import { takeStep } from './step-intake.ts';

const CONTEXT = { layers: 2, now: () => 1_700_000_000_000 };

function take(input: unknown, layers = 2) {
  const dropped: [string, string][] = [];
  const step = takeStep(input, { ...CONTEXT, layers }, (field, reason) => dropped.push([field, reason]));
  return { step, dropped };
}

const PLAIN = { step: 1, time: 1_600_000_000_000, loss: 2 };

describe('a bad value costs itself and not the step', () => {
  test.each<[string, unknown, [string, string]]>([
    ['a string', { lr: '0.1' }, ['lr', 'not a number']],
    ['a BigInt', { gradNorm: 1n }, ['gradNorm', 'not a number']],
    ['an object', { tevMean: {} }, ['tevMean', 'not a number']],
    ['a fraction of a token', { tokens: 1.5 }, ['tokens', 'not a whole number']],
    ['too few quantiles', { tevQuantiles: [1] }, ['tevQuantiles', 'wrong length']],
    ['too many layers', { layerGradVar: [1, 2, 3] }, ['layerGradVar', 'wrong length']],
    ['a hole in an array', { layerOutVar: [1, undefined] }, ['layerOutVar', 'not a number']],
    ['a string instead of an array', { layerOutVar: 'ab' }, ['layerOutVar', 'not a number']],
    ['a custom scalar that is undefined', { custom: { a: undefined } }, ['custom.a', 'not a number']],
    ['a name that is too long', { custom: { ['x'.repeat(501)]: 1 } }, [`custom.${'x'.repeat(200)}`, 'bad name']],
    ['an empty name', { custom: { '': 1 } }, ['custom.', 'bad name']],
    ['a name with a NUL', { custom: { 'a\0': 1 } }, ['custom.a\uFFFD', 'bad name']],
    ['custom scalars that are none', { custom: [1] }, ['custom', 'not an object']],
    ['a time that is none', { time: 'now' }, ['time', 'not a number']],
    ['a time in seconds', { time: 1_700_000_000 }, ['time', 'not in milliseconds']],
    ['a time that is nearly one', { time: 1e11 - 1 }, ['time', 'not in milliseconds']],
  ])('%s', (_, wrong, dropped) => {
    const found = take({ ...PLAIN, ...(wrong as object) });
    expect(found.dropped).toEqual([dropped]);
    expect(found.step).toEqual({ ...PLAIN, ...(dropped[0] === 'time' && { time: CONTEXT.now() }) });
  });

  test('beside good ones of its kind', () => {
    const { step, dropped } = take({ ...PLAIN, lr: null, custom: { good: 1, bad: 'high', nan: 'NaN' } });
    expect(step).toEqual({ ...PLAIN, custom: { good: 1, nan: Number.NaN } });
    expect(dropped).toEqual([['custom.bad', 'not a number']]);
  });
});

test.each([[null], ['step'], [{}], [{ step: 0.5 }], [{ step: '1' }], [{ step: 2 ** 41 }]])(
  'without a step number there is no step: %j',
  (input) => {
    const { step, dropped } = take(input);
    expect(step).toBeNull();
    expect(dropped).toHaveLength(1);
    expect(dropped[0]?.[0]).toBe('step');
  },
);

test('whatever comes, what is taken keeps to the schema, and of what keeps to it nothing is dropped', () => {
  const value = fc.oneof(fc.anything(), fc.double(), fc.integer(), fc.constantFrom('NaN', 1n, undefined, null));
  const wild = fc.record(
    { step: fc.oneof(fc.integer(), value), time: value, loss: value, tokens: value, layerGradVar: value },
    { requiredKeys: [] },
  );
  const custom = fc.option(fc.dictionary(fc.string({ unit: 'binary' }), value));
  fc.assert(
    fc.property(wild, custom, (input, custom) => {
      const { step } = take({ ...input, custom });
      if (!step) return;
      expect(stepEvent.safeParse(step).error).toBeUndefined();
      expect(take(step)).toEqual({ step, dropped: [] });
    }),
    { numRuns: 2_000 },
  );
});

test('what is dropped is counted by field and reason, in bounded memory', () => {
  const count = new DropCount();
  for (let at = 0; at < 5_000; at++) count.add(`custom.${at}`, 'bad name');
  count.add('loss', 'not a number', 3);
  expect(count.total).toBe(5_003);
  expect(count.values().length).toBeLessThan(1_010);
  expect(count.values()[0]).toEqual({ field: 'custom.0', reason: 'bad name', count: 1 });
});
