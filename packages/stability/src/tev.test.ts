import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TEV_QUANTILES, tokenEmbeddingVariability } from './tev.ts';

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const populationStd = (values: number[]) => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));

function expectClose(actual: number[], expected: number[], digits: number): void {
  expect(actual).toHaveLength(expected.length);
  for (const [at, value] of actual.entries()) expect(value).toBeCloseTo(expected[at] ?? Number.NaN, digits);
}

/** The definition, word for word. */
function reference(rows: number[][]) {
  const tev = rows.map(populationStd);
  const sorted = [...tev].sort((a, b) => a - b);
  const quantiles = TEV_QUANTILES.map((at) => {
    const position = at * (sorted.length - 1);
    const below = Math.floor(position);
    const [low = Number.NaN, high = low] = sorted.slice(below);
    return low + (position - below) * (high - low);
  });
  return { mean: mean(tev), std: populationStd(tev), quantiles };
}

const float = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 });
const matrix = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 24 }))
  .chain(([vocabulary, dimension]) =>
    fc.array(fc.array(float, { minLength: dimension, maxLength: dimension }), {
      minLength: vocabulary,
      maxLength: vocabulary,
    }),
  );

const widthOf = (rows: number[][]) => rows[0]?.length ?? 0;

describe('tokenEmbeddingVariability', () => {
  test('of a matrix worked out by hand', () => {
    // rows of standard deviation 0, 1 and 2
    const embedding = Float32Array.of(5, 5, 5, 5, 1, -1, 1, -1, 2, -2, 2, -2);
    const tev = tokenEmbeddingVariability(embedding, 3, 4);
    expect(tev.mean).toBe(1);
    expect(tev.std).toBeCloseTo(Math.sqrt(2 / 3), 14);
    expectClose(tev.quantiles, [0, 0.02, 0.1, 0.5, 1, 1.5, 1.9, 1.98, 2], 14);
  });

  test('is what the definition says', () => {
    fc.assert(
      fc.property(matrix, (rows) => {
        const tev = tokenEmbeddingVariability(Float32Array.from(rows.flat()), rows.length, widthOf(rows));
        const expected = reference(rows);
        expect(tev.mean).toBeCloseTo(expected.mean, 9);
        expect(tev.std).toBeCloseTo(expected.std, 9);
        expectClose(tev.quantiles, expected.quantiles, 9);
      }),
    );
  });

  test('neither the order of the tokens nor an offset of a token changes it', () => {
    fc.assert(
      fc.property(matrix, (rows) => {
        const moved = [...rows].reverse().map((row, at) => row.map((value) => Math.fround(value) + at * 1024));
        const shape = [rows.length, widthOf(rows)] as const;
        const tev = tokenEmbeddingVariability(Float32Array.from(rows.flat()), ...shape);
        const other = tokenEmbeddingVariability(Float32Array.from(moved.flat()), ...shape);
        expect(other.mean).toBeCloseTo(tev.mean, 2); // the offset itself costs float32 digits
      }),
    );
  });

  test('keeps its digits where the spread is small beside the mean', () => {
    const ulp = 2 ** -10; // of float32 at 8192 to 16384
    const embedding = Float32Array.from({ length: 64 }, (_, at) => 10_000 + (at % 2) * ulp);
    expect(tokenEmbeddingVariability(embedding, 4, 16).mean).toBeCloseTo(ulp / 2, 14);
  });

  test('one token, one dimension', () => {
    expect(tokenEmbeddingVariability(Float32Array.of(3), 1, 1)).toEqual({
      mean: 0,
      std: 0,
      quantiles: Array(9).fill(0),
    });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'an entry of %d shows in the mean',
    (value) => {
      const embedding = new Float32Array(12);
      embedding[5] = value;
      const tev = tokenEmbeddingVariability(embedding, 3, 4);
      expect(tev.mean).toBeNaN();
      expect(tev.quantiles[0]).toBe(0);
    },
  );

  test.each([
    [12, 3, 5],
    [12, 4, 2],
    [12, 12.5, 1],
    [12, -3, -4],
    [12, Number.NaN, 4],
    [0, 0, 4],
    [0, 4, 0],
  ])('%d entries are not %d × %d', (length, vocabulary, dimension) => {
    expect(() => tokenEmbeddingVariability(new Float32Array(length), vocabulary, dimension)).toThrow(RangeError);
  });
});
