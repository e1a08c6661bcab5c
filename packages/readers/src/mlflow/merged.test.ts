import fc from 'fast-check';
import { expect, test } from 'vitest';
import { merged } from './merged.ts';

async function* each<Item>(items: readonly Item[]) {
  yield* items;
}

/** The lowest of what is next, found by looking at all. */
function slowly(series: readonly number[][]): [rank: number, series: number][] {
  const left = series.map((items, at) => items.map((rank): [number, number] => [rank, at]));
  const found: [number, number][] = [];
  for (;;) {
    const heads = left.flatMap(([head]) => (head ? [head] : []));
    const lowest = heads.reduce<[number, number] | null>((a, b) => (a && a[0] <= b[0] ? a : b), null);
    if (!lowest) return found;
    found.push(lowest);
    left[lowest[1]]?.shift();
  }
}

test('the lowest of what is next in each series comes first, whatever their order and number', async () => {
  const series = fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 9 }), { maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(series, async (given) => {
      const items = given.map((ranks, at) => each(ranks.map((rank): [number, number] => [rank, at])));
      const found: [number, number][] = [];
      for await (const item of merged(items, ([rank]) => rank)) found.push(item);
      expect(found).toEqual(slowly(given));
    }),
  );
});

test('a row is found without a look at all of very many series', async () => {
  const count = 4_000;
  let looks = 0;
  const series = Array.from({ length: count }, (_, at) => each([at, at + 1, at + 2]));
  let items = 0;
  const rankOf = (rank: number) => {
    looks += 1;
    return rank;
  };
  for await (const _ of merged(series, rankOf)) items += 1;
  expect(items).toBe(3 * count);
  expect(looks).toBeLessThan(3 * count * 8 * Math.log2(count));
});
