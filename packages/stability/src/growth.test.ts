import fc from 'fast-check';
import { expect, test } from 'vitest';
import { localExponent } from './growth.ts';

test('finds the exponent of a power law, wherever its points stand and whatever its factor', () => {
  const steps = fc.uniqueArray(fc.integer({ min: 1, max: 10_000 }), { minLength: 2, maxLength: 40 });
  const exponent = fc.double({ min: -4, max: 4, noNaN: true });
  const factor = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(steps, exponent, factor, (at, p, c) => {
      expect(localExponent(at.map((step) => ({ step, value: c * step ** p })))).toBeCloseTo(p, 5);
    }),
  );
});

test('weighs all points, as least squares do', () => {
  // log step 0, 1, 2 and log value 0, 3, 0: the middle does not tilt the line
  const points = [
    { step: 1, value: 1 },
    { step: Math.E, value: Math.E ** 3 },
    { step: Math.E ** 2, value: 1 },
  ];
  expect(localExponent(points)).toBeCloseTo(0, 12);
});
