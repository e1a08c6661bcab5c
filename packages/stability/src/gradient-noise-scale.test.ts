import { expect, test } from 'vitest';
import { gradientNoiseScale } from './gradient-noise-scale.ts';

test('the noise scale, by hand', () => {
  // |G|² = 9 - 4 / 4 = 8; tr(Σ) of a sequence = 2 · 4 = 8
  expect(gradientNoiseScale({ gradVar: 4, gradNorm: 3, count: 4, size: 2 })).toBe(1);
  // |G|² = 2.25 - 3 / 12 = 2; tr(Σ) = 8 · 3 = 24
  expect(gradientNoiseScale({ gradVar: 3, gradNorm: 1.5, count: 12, size: 8 })).toBe(12);
  expect(gradientNoiseScale({ gradVar: 0, gradNorm: 2, count: 2, size: 8 })).toBe(0);
});

test.each([
  ['noise as large as the gradient', 4, 1],
  ['noise larger than the gradient', 8, 1],
  ['no gradient', 0, 0],
  ['a variance that is not a number', Number.NaN, 1],
  ['an infinite variance', Number.POSITIVE_INFINITY, 1],
  ['an infinite norm', 1, Number.POSITIVE_INFINITY],
])('there is none with %s', (_, gradVar, gradNorm) => {
  expect(gradientNoiseScale({ gradVar, gradNorm, count: 4, size: 2 })).toBeNull();
});
