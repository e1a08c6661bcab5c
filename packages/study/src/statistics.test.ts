import { mean } from '@evenkeel/stability';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pearson, spearman, standardDeviation } from './statistics.ts';

const numbers = (minLength: number) => fc.array(fc.integer({ min: -20, max: 20 }), { minLength, maxLength: 30 }); // few values, so that many are equal
const pairs = fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), {
  minLength: 2,
  maxLength: 30,
});

/** The variance by its pairs: half the mean squared difference of two different members. */
function slowVariance(values: readonly number[]): number {
  let sum = 0;
  for (const a of values) for (const b of values) sum += (a - b) ** 2;
  return sum / (2 * values.length * (values.length - 1));
}

/** The covariance by its pairs, in the same way. */
function slowCovariance(x: readonly number[], y: readonly number[]): number {
  let sum = 0;
  for (let a = 0; a < x.length; a++)
    for (let b = 0; b < x.length; b++)
      sum += ((x[a] as number) - (x[b] as number)) * ((y[a] as number) - (y[b] as number));
  return sum / (2 * x.length * (x.length - 1));
}

const slowPearson = (x: readonly number[], y: readonly number[]) =>
  slowCovariance(x, y) / Math.sqrt(slowVariance(x) * slowVariance(y));

/** A rank by counting: one more than the smaller values, and half of the other equal ones. */
const slowRanks = (values: readonly number[]) =>
  values.map((value) => {
    const smaller = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return 1 + smaller + (equal - 1) / 2;
  });

const varies = (values: readonly number[]) => new Set(values).size > 1;

test('the standard deviation is that of the differences of pairs', () => {
  fc.assert(
    fc.property(numbers(2), (values) => {
      expect(standardDeviation(values)).toBeCloseTo(Math.sqrt(slowVariance(values)), 9);
    }),
  );
  expect(standardDeviation([5])).toBeNaN();
});

describe('correlation', () => {
  test('is the covariance over the standard deviations', () => {
    fc.assert(
      fc.property(pairs, (both) => {
        const x = both.map(([value]) => value);
        const y = both.map(([, value]) => value);
        fc.pre(varies(x) && varies(y));
        expect(pearson(x, y)).toBeCloseTo(slowPearson(x, y), 9);
      }),
    );
  });

  test('of ranks, equal values included, is that of counted ranks', () => {
    fc.assert(
      fc.property(pairs, (both) => {
        const x = both.map(([value]) => value);
        const y = both.map(([, value]) => value);
        fc.pre(varies(x) && varies(y));
        expect(spearman(x, y)).toBeCloseTo(slowPearson(slowRanks(x), slowRanks(y)), 9);
      }),
    );
  });

  test('by ranks sees growth that is no line', () => {
    const x = [1, 2, 3, 4, 5];
    expect(spearman(x, x.map(Math.exp))).toBeCloseTo(1, 12);
    expect(pearson(x, x.map(Math.exp))).toBeLessThan(0.95);
  });

  test('is not a number where nothing varies, or nothing is', () => {
    expect(pearson([1, 1], [1, 2])).toBeNaN();
    expect(spearman([], [])).toBeNaN();
    expect(mean([])).toBeNaN();
  });

  test('needs pairs', () => {
    expect(() => pearson([1], [1, 2])).toThrow(RangeError);
  });
});
