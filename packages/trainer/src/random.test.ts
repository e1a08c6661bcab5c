import { expect, test } from 'vitest';
import { normals, randomStream } from './random.ts';

const draw = (count: number, ...seeds: number[]) => {
  const random = randomStream(...seeds);
  return Array.from({ length: count }, random);
};

test('a stream depends on all its seeds and their order, and on nothing else', () => {
  expect(draw(5, 1, 2)).toEqual(draw(5, 1, 2));
  const firsts = [draw(1, 1, 2), draw(1, 2, 1), draw(1, 1), draw(1, 0), draw(1, 0, 0), draw(1, 1, 3)].flat();
  expect(new Set(firsts).size).toBe(firsts.length);
});

test('the first numbers of neighboring streams are spread evenly', () => {
  const counts = new Array(10).fill(0);
  for (let step = 0; step < 10_000; step++) counts[Math.floor((draw(1, 1, step)[0] as number) * 10)]++;
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150); // five standard deviations
});

test('normals have the mean, the spread and the tails of a normal distribution', () => {
  const values = [...normals(100_001, 2, randomStream(1))];
  const share = (within: number) => values.filter((value) => Math.abs(value) < within).length / values.length;
  expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(0, 1);
  expect(share(2)).toBeCloseTo(0.6827, 2);
  expect(share(4)).toBeCloseTo(0.9545, 2);
  expect(share(6)).toBeCloseTo(0.9973, 2);
});
