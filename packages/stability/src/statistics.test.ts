import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mean, median, nearestQuantile, quantile, spread, upperMedian } from './statistics.ts';

const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 80 });
const sorted = (of: readonly number[]) => of.toSorted((a, b) => a - b);

test('nothing has no statistic', () => {
  const none = [mean([]), median([]), upperMedian([]), quantile([], 0.5), nearestQuantile([], 0.5)];
  expect([...none, ...Object.values(spread([]))]).toEqual(Array(7).fill(Number.NaN));
});

test('the spread of a part is that of the part alone, also in typed arrays', () => {
  fc.assert(
    fc.property(values, fc.nat(79), (all, from) => {
      const start = from % all.length;
      const part = all.slice(start);
      const middle = mean(part);
      const std = Math.sqrt(mean(part.map((value) => (value - middle) * (value - middle))));
      expect(spread(all, start)).toEqual({ mean: middle, std });
      expect(spread(Float64Array.from(part))).toEqual({ mean: middle, std });
    }),
  );
});

test('as many values lie below a median as above', () => {
  fc.assert(
    fc.property(values, (all) => {
      for (const middle of [median(all), upperMedian(all)]) {
        expect(all.filter((value) => value < middle).length).toBeLessThanOrEqual(all.length / 2);
        expect(all.filter((value) => value > middle).length).toBeLessThanOrEqual(all.length / 2);
      }
      expect(all).toContain(upperMedian(all));
    }),
  );
  expect([median([4, 1]), upperMedian([4, 1])]).toEqual([2.5, 4]);
  expect([median([1e308, 1.5e308]), median([5e-324])]).toEqual([1.25e308, 5e-324]);
});

test('quantiles go from the smallest value to the largest through the median', () => {
  fc.assert(
    fc.property(values, (all) => {
      const ordered = sorted(all);
      expect([quantile(ordered, 0), quantile(ordered, 1)]).toEqual([ordered[0], ordered.at(-1)]);
      expect(quantile(ordered, 0.5)).toBeCloseTo(median(all), 6);
      expect(all).toContain(nearestQuantile(ordered, 0.3));
    }),
  );
  expect([quantile([0, 10], 0.25), nearestQuantile([0, 10], 0.25)]).toEqual([2.5, 0]);
});
