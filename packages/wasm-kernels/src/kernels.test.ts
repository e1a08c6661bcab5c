import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { registerWasmKernels } from './kernels.ts';

tf.enableProdMode(); // keeps the cpu backend from printing an advertisement
registerWasmKernels();

beforeEach(async () => {
  await tf.setBackend('wasm');
});

let seed = 0;

/** Normally distributed numbers, different ones at each call and the same ones at each start. */
function values(count: number): Float32Array {
  return tf.tidy(() => tf.randomNormal([count], 0, 1, 'float32', ++seed).dataSync<'float32'>().slice());
}

function tensor(...shape: number[]): tf.Tensor {
  return tf.tensor(values(tf.util.sizeFromShape(shape)), shape);
}

const TRANSPOSITIONS = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

describe.each(TRANSPOSITIONS)('a matrix product with operands transposed: %s, %s', (transposeA, transposeB) => {
  const product = (a: tf.Tensor, b: tf.Tensor) => tf.matMul(a, b, transposeA, transposeB);
  const left = (batch: number[], m: number, k: number) => tensor(...batch, ...(transposeA ? [k, m] : [m, k]));
  const right = (batch: number[], k: number, n: number) => tensor(...batch, ...(transposeB ? [n, k] : [k, n]));

  /** In float64, by the definition, of tensors with the same number of matrices or a single one. */
  function reference(a: tf.Tensor, b: tf.Tensor): number[] {
    const [aMatrices, bMatrices] = [rows(a, transposeA), rows(b, transposeB)];
    const count = Math.max(aMatrices.length, bMatrices.length);
    return Array.from({ length: count }, (_, at) => {
      const matrix = bMatrices[at % bMatrices.length] as number[][];
      return (aMatrices[at % aMatrices.length] as number[][]).map((row) =>
        (matrix[0] ?? []).map((_, column) =>
          row.reduce((sum, value, inner) => sum + value * (matrix[inner]?.[column] as number), 0),
        ),
      );
    }).flat(2);
  }

  function rows(x: tf.Tensor, transposed: boolean): number[][][] {
    const matrices = tf.reshape(x, [-1, ...x.shape.slice(-2)]).arraySync() as number[][][];
    if (!transposed) return matrices;
    return matrices.map((matrix) =>
      (matrix[0] as number[]).map((_, column) => matrix.map((row) => row[column] as number)),
    );
  }

  test.each([
    [1, 1, 1],
    [1, 5, 8],
    [1, 37, 19],
    [4, 8, 8],
    [3, 7, 5],
    [5, 1, 9],
    [64, 32, 16],
    [67, 33, 41],
    [2, 300, 1],
  ])('[%i, %i] · [_, %i]', (m, k, n) => {
    const [a, b] = [left([], m, k), right([], k, n)];
    expectClose(product(a, b), reference(a, b));
  });

  test.each([
    ['a batch of each', [3], [3], [3]],
    ['a batch of one', [1], [1], [1]],
    ['two axes', [2, 3], [2, 3], [2, 3]],
    ['a batch and a matrix', [3], [], [3]],
    ['a matrix and a batch', [], [3], [3]],
    ['a batch and a batch of one', [2, 3], [1, 1], [2, 3]],
  ] as const)('%s', (_, aBatch, bBatch, batch) => {
    const [a, b] = [left([...aBatch], 6, 5), right([...bBatch], 5, 11)];
    expect(product(a, b).shape).toEqual([...batch, 6, 11]);
    expectClose(product(a, b), reference(a, b));
  });

  test('an empty inner dimension gives zeros, no rows give an empty product', () => {
    expect(Array.from(product(left([], 2, 0), right([], 0, 3)).dataSync())).toEqual([0, 0, 0, 0, 0, 0]);
    expect(product(left([], 0, 2), right([], 2, 3)).shape).toEqual([0, 3]);
  });

  test('NaN and infinity stay visible, only in their row and column', () => {
    const [a, b] = [left([], 6, 5), right([], 5, 9)];
    const withNaN = a.dataSync().slice().fill(Number.NaN, 0, 1); // of row 0 and inner index 0
    const withInfinity = b
      .dataSync()
      .slice()
      .fill(Number.POSITIVE_INFINITY, b.size - 1); // of column 8
    const got = product(tf.tensor(withNaN, a.shape), tf.tensor(withInfinity, b.shape)).arraySync() as number[][];
    for (const [at, row] of got.entries()) {
      expect(row.map(Number.isFinite)).toEqual(Array.from({ length: 9 }, (_, column) => at > 0 && column < 8));
    }
    expect(got[0]?.every(Number.isNaN)).toBe(true);
  });

  test('a product leaks neither tensors nor memory', () => {
    const [a, b] = [left([2], 67, 33), right([2], 33, 41)];
    const wasm = tf.backend() as BackendWasm;
    const held = () => ({
      tensors: tf.memory().numTensors,
      data: wasm.numDataIds(),
      bytes: (wasm as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.length,
    });
    product(a, b).dispose();
    const before = held();
    for (let call = 0; call < 3000; call++) product(a, b).dispose();
    expect(held()).toEqual(before);
  });
});

/** Within float32 rounding. */
function expectClose(got: tf.Tensor, wanted: number[]): void {
  const found = Array.from(got.dataSync());
  expect(found).toHaveLength(wanted.length);
  const error = Math.hypot(...found.map((value, at) => value - (wanted[at] as number)));
  expect(error / Math.hypot(...wanted)).toBeLessThan(1e-6);
}

test('a buffer and its reshape can both be right operands', () => {
  const b = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
  expect(tf.matMul(tf.tensor2d([[1, 1]]), b).arraySync()).toEqual([[5, 7, 9]]);
  expect(tf.matMul(tf.tensor2d([[1, 1, 1]]), tf.reshape(b, [3, 2])).arraySync()).toEqual([[9, 12]]);
  expect(tf.matMul(tf.tensor2d([[1, 1]]), b).arraySync()).toEqual([[5, 7, 9]]);
});

test('a product is right when the memory grows meanwhile', () => {
  const a = tf.ones([3, 2]);
  const grown = tf.matMul(a, tf.ones([2, 4_000_000]));
  expect(grown.max().dataSync()[0]).toBe(2);
  expect(grown.min().dataSync()[0]).toBe(2);
});

test('matrices whose shapes do not match are refused', () => {
  expect(() => tf.matMul(tensor(2, 3), tensor(4, 2))).toThrow('matMul cannot multiply [2,3] by [4,2]');
  expect(() => tf.matMul(tensor(2, 1, 2, 3), tensor(1, 3, 3, 2))).toThrow('cannot multiply');
  expect(() => tf.matMul(tf.ones([2, 2], 'int32'), tf.ones([2, 2], 'int32'))).toThrow('cannot multiply');
});

describe('the same results as the cpu backend', () => {
  let x: Float32Array;
  beforeAll(async () => {
    await tf.setBackend('cpu');
    x = values(2 * 6 * 5 * 4);
  });
  const whole = () => tf.tensor(x, [2, 6, 5, 4]);

  test.each<[string, () => tf.Tensor | tf.Tensor[]]>([
    ['a contiguous slice', () => tf.slice(whole(), [1, 2], [1, 3])],
    ['a slice that is not contiguous', () => tf.slice(whole(), [0, 2, 1, 0], [2, 3, 2, 4])],
    ['a slice of int32', () => tf.slice(tf.tensor1d([1, 2, 3], 'int32'), 1, 2)],
    ['an empty slice', () => tf.slice(whole(), [1, 2], [1, 0])],
    ['a split of the first axis', () => tf.split(whole(), 2)],
    ['a split of a middle axis', () => tf.split(whole(), 3, 1)],
    ['a split of the last axis into unequal parts', () => tf.split(whole(), [1, 3], -1)],
    ['a split of int32', () => tf.split(tf.tensor1d([1, 2, 3, 4], 'int32'), 2)],
    [
      'rows of a table, in any order',
      () => tf.gather(tf.reshape(whole(), [12, 20]), tf.tensor1d([3, 11, 3, 0], 'int32')),
    ],
    ['entries by a matrix of indices', () => tf.gather(whole(), tf.tensor2d([[1], [0]], [2, 1], 'int32'))],
    ['a gather from the last axis', () => tf.gather(whole(), tf.tensor1d([3, 0], 'int32'), -1)],
    ['a clone', () => tf.clone(whole())],
    ['sums of segments', () => tf.unsortedSegmentSum(tf.reshape(whole(), [3, 80]), tf.tensor1d([2, 0, 2], 'int32'), 4)],
  ])('%s', async (_, compute) => {
    const results = async (backend: 'wasm' | 'cpu') => {
      await tf.setBackend(backend);
      return tf.tidy(() => [compute()].flat().map((result) => ({ shape: result.shape, data: result.dataSync() })));
    };
    expect(await results('wasm')).toEqual(await results('cpu'));
  });
});

test('a clone outlives its original', () => {
  const original = tf.tensor1d([1, 2]);
  const clone = tf.clone(original);
  original.dispose();
  tf.tensor1d([3, 4]); // would overwrite data that was freed
  expect(Array.from(clone.dataSync())).toEqual([1, 2]);
});

test('an index outside of the table is refused', () => {
  expect(() => tf.gather(tf.ones([2, 3]), tf.tensor1d([2], 'int32'))).toThrow(
    'gather: index 2 is outside of the 2 entries',
  );
});
