import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { chooseBackend } from './backend.ts';
import { normals, randomStream } from './random.ts';
import { SpectralNorm } from './spectral-norm.ts';

test.each([
  [24, 36],
  [36, 24],
  [1, 8],
])('power iteration on a matrix of %i × %i converges to the largest singular value', async (rows, columns) => {
  await chooseBackend('wasm');
  const matrix = tf.tensor2d(normals(rows * columns, 1, randomStream(rows)), [rows, columns]);
  const norm = new SpectralNorm(matrix, randomStream(2));
  for (let iteration = 0; iteration < 2_000; iteration++) norm.iterate();
  const [sigma] = tf.tidy(() => tf.matMul(tf.matMul(norm.u, matrix), norm.v)).dataSync();
  expect((sigma as number) / largestSingularValue(matrix.arraySync())).toBeCloseTo(1, 5);
  norm.dispose();
  matrix.dispose();
});

test('a matrix of zeros has directions without NaN', async () => {
  await chooseBackend('wasm');
  const matrix = tf.zeros<tf.Rank.R2>([3, 2]);
  const norm = new SpectralNorm(matrix, randomStream(2));
  expect([...norm.u.dataSync(), ...norm.v.dataSync()]).toEqual([0, 0, 0, 0, 0]);
  norm.dispose();
  matrix.dispose();
});

/** By the one-sided Jacobi method (Hestenes, 1958): rotations make the columns orthogonal; their lengths are the values. */
function largestSingularValue(matrix: number[][]): number {
  const columns = matrix[0]?.map((_, at) => matrix.map((row) => row[at] as number)) ?? [];
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, at) => sum + value * (b[at] as number), 0);
  for (let sweep = 0; sweep < 12; sweep++) {
    for (let i = 0; i < columns.length; i++) {
      for (let j = i + 1; j < columns.length; j++) {
        const [a, b] = [columns[i], columns[j]] as [number[], number[]];
        const angle = 0.5 * Math.atan2(2 * dot(a, b), dot(a, a) - dot(b, b));
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        columns[i] = a.map((value, at) => c * value + s * (b[at] as number));
        columns[j] = a.map((value, at) => c * (b[at] as number) - s * value);
      }
    }
  }
  return Math.max(...columns.map((column) => Math.sqrt(dot(column, column))));
}
