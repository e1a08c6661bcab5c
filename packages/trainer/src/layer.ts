import * as tf from '@tensorflow/tfjs';
import { normals, randomStream, STREAMS } from './random.ts';
import { SpectralNorm } from './spectral-norm.ts';

/** Standard deviation of the initial weights, as in GPT-2. */
export const INITIAL_STD = 0.02;

export interface Parameter {
  name: string;
  variable: tf.Variable;
  /** Whether weight decay applies: to matrices, not to gains and biases, as in GPT-3. */
  decays: boolean;
}

/** A variable by its name in a checkpoint. */
export interface NamedVariable {
  name: string;
  variable: tf.Variable;
}

/** A part of the model that is measured as one: the embeddings, a block, or the head with the final norm. */
export class Layer {
  readonly name: string;
  readonly parameters: Parameter[] = [];
  /** By the name of the matrix that is divided by it: not trained, but part of a checkpoint. */
  readonly spectralNorms = new Map<string, SpectralNorm>();
  private readonly seed: number;
  private readonly at: number;

  constructor(name: string, at: number, seed: number) {
    this.name = name;
    this.at = at;
    this.seed = seed;
  }

  get size(): number {
    return this.parameters.reduce((size, { variable }) => size + variable.size, 0);
  }

  /** The parameters, and the directions of the spectral norms. */
  get variables(): NamedVariable[] {
    const own = this.parameters.map(({ name, variable }) => ({ name: `${this.name}/${name}`, variable }));
    const directions = [...this.spectralNorms].flatMap(([name, { u, v }]) => [
      { name: `${this.name}/${name}.u`, variable: u as tf.Variable },
      { name: `${this.name}/${name}.v`, variable: v as tf.Variable },
    ]);
    return [...own, ...directions];
  }

  /** A matrix drawn from N(0, std²), from a random stream of its own: the rest of the model does not change it. */
  matrix(name: string, rows: number, columns: number, std = INITIAL_STD): tf.Tensor2D {
    const values = tf.tensor2d(normals(rows * columns, std, this.stream(name)), [rows, columns]);
    return this.add(name, values, true);
  }

  vector(name: string, size: number, value: number): tf.Tensor1D {
    return this.add(name, tf.fill([size], value) as tf.Tensor1D, false);
  }

  /** Adds the spectral norm of one of the layer's matrices. */
  spectralNorm(name: string, matrix: tf.Tensor2D): SpectralNorm {
    const norm = new SpectralNorm(matrix, this.stream(`${name}.u`));
    this.spectralNorms.set(name, norm);
    return norm;
  }

  dispose(): void {
    for (const { variable } of this.parameters) variable.dispose();
    for (const norm of this.spectralNorms.values()) norm.dispose();
  }

  private stream(name: string): () => number {
    return randomStream(this.seed, STREAMS.weights, this.at, ...Buffer.from(name));
  }

  private add<R extends tf.Rank>(name: string, initial: tf.Tensor<R>, decays: boolean): tf.Variable<R> {
    const variable = tf.variable(initial);
    initial.dispose();
    this.parameters.push({ name, variable: variable as tf.Variable, decays });
    return variable;
  }
}
