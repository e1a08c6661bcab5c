import fc from 'fast-check';
import { expect, it } from 'vitest';
import { smooth } from './smoothing.ts';

/** Each value from all before it, one by one. */
function slowly(steps: readonly number[], values: readonly (number | null)[], halfLife: number): (number | null)[] {
  return values.map((value, at) => {
    if (value === null) return null;
    let [sum, weights] = [0, 0];
    for (let before = 0; before <= at; before++) {
      const weight = values[before] === null ? 0 : 2 ** (-((steps[at] ?? 0) - (steps[before] ?? 0)) / halfLife);
      sum += weight * (values[before] ?? 0);
      weights += weight;
    }
    return sum / weights;
  });
}

it('is the mean of all before, each weighing half as much every half-life back', () => {
  const series = fc.array(
    fc.record({
      gap: fc.integer({ min: 1, max: 50 }),
      value: fc.option(fc.double({ min: -100, max: 100, noNaN: true })),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(series, fc.integer({ min: 1, max: 100 }), (points, halfLife) => {
      let step = 0;
      const steps = points.map(({ gap }) => (step += gap));
      const values = points.map(({ value }) => value);
      const expected = slowly(steps, values, halfLife);
      smooth(steps, values, halfLife).forEach((value, at) => {
        if (value === null) expect(expected[at]).toBeNull();
        else expect(value).toBeCloseTo(expected[at] ?? Number.NaN, 6);
      });
    }),
  );
});

it('leaves a constant as it is, from its first step on', () => {
  expect(smooth([0, 1, 2, 70], [3, 3, null, 3], 10)).toEqual([3, 3, null, 3]);
});

it('forgets what lies many half-lives back', () => {
  expect(smooth([0, 1000], [1e6, 1], 10)[1]).toBeCloseTo(1, 6);
});
