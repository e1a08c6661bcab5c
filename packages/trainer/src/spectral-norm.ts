import * as tf from '@tensorflow/tfjs';
import { normals } from './random.ts';

/** Iterations at the start, from a random vector: enough for the norm of a random matrix to 1e-3. */
const FIRST_ITERATIONS = 50;
/** Keeps the directions of a zero matrix from becoming NaN. */
const EPSILON = 1e-12;

/**
 * The largest singular value σ of a matrix, by power iteration (Miyato et al., arXiv 1802.05957, algorithm 1). A
 * training step moves the matrix little, so one iteration a step follows it.
 */
export class SpectralNorm {
  /** The left singular direction. [1, rows] */
  readonly u: tf.Variable<tf.Rank.R2>;
  /** The right singular direction. [columns, 1] */
  readonly v: tf.Variable<tf.Rank.R2>;
  private readonly matrix: tf.Tensor2D;

  constructor(matrix: tf.Tensor2D, random: () => number) {
    const [rows, columns] = matrix.shape;
    this.matrix = matrix;
    this.u = tf.tidy(() => tf.variable(unit(tf.tensor2d(normals(rows, 1, random), [1, rows])), false));
    this.v = tf.tidy(() => tf.variable(tf.zeros<tf.Rank.R2>([columns, 1]), false));
    for (let iteration = 0; iteration < FIRST_ITERATIONS; iteration++) this.iterate();
  }

  /** One power iteration: v ← Wᵀu / ‖Wᵀu‖, u ← Wv / ‖Wv‖. */
  iterate(): void {
    tf.tidy(() => {
      const v = unit(tf.reshape(tf.matMul(this.u, this.matrix), [-1, 1]) as tf.Tensor2D); // [columns, 1]
      this.v.assign(v);
      this.u.assign(unit(tf.reshape(tf.matMul(this.matrix, v), [1, -1]) as tf.Tensor2D)); // [1, rows]
    });
  }

  dispose(): void {
    tf.dispose([this.u, this.v]);
  }
}

function unit(vector: tf.Tensor2D): tf.Tensor2D {
  return tf.div(vector, tf.add(tf.sqrt(tf.sum(tf.square(vector))), EPSILON));
}
