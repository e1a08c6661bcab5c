import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeStep, type StepEvent } from './step.ts';

test('training and evaluation of one step, reported in two calls, are both kept', () => {
  const merged = mergeStep({ step: 0, time: 5, loss: 1 }, { step: 0, time: 6, custom: { evalLoss: 1 } });
  expect(merged).toEqual({ step: 0, time: 5, loss: 1, custom: { evalLoss: 1 } });
});

test('a field that is sent again is overwritten, null is no value', () => {
  const former = { step: 0, time: 5, loss: 1, lr: 2, layerGradVar: [1], custom: { a: 1, b: 2 } };
  const later = { step: 0, time: 9, loss: Number.NaN, lr: null, layerGradVar: [3], custom: { b: 3 } };
  const expected = { step: 0, time: 5, loss: Number.NaN, lr: 2, layerGradVar: [3], custom: { a: 1, b: 3 } };
  expect(mergeStep(former, later)).toEqual(expected);
});

const FIELDS = ['loss', 'lr', 'gradVar', 'a', 'b'] as const;

/** Reports of parts of one step, which agree where they overlap. */
const reports = fc.array(fc.tuple(fc.subarray([...FIELDS]), fc.nat(100)), { minLength: 1, maxLength: 6 });

function report([fields, time]: [string[], number]): StepEvent {
  const custom = Object.fromEntries(
    fields.filter((name) => name.length === 1).map((name) => [name, name.charCodeAt(0)]),
  );
  const scalars = Object.fromEntries(fields.filter((name) => name.length > 1).map((name) => [name, name.length]));
  return { step: 3, time, ...scalars, ...(Object.keys(custom).length > 0 && { custom }) };
}

test('any order and grouping of the same fields gives the same step', () => {
  fc.assert(
    fc.property(reports, fc.nat(), (parts, seed) => {
      const steps = parts.map(report);
      const turned = steps.map((_, at) => steps[(at + seed) % steps.length] ?? { step: 3, time: 0 });
      const inOrder = steps.reduce(mergeStep);
      expect(turned.reduce(mergeStep)).toEqual(inOrder);
      expect(steps.reduceRight((later, former) => mergeStep(former, later))).toEqual(inOrder);
      expect(mergeStep(inOrder, inOrder)).toEqual(inOrder);
    }),
  );
});
