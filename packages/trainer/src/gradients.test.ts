import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, test } from 'vitest';
import { chooseBackend } from './backend.ts';
import type { ModelConfig } from './config.ts';
import { clipFactor, lossAndGradients } from './gradients.ts';
import { type Batch, Model } from './model.ts';
import { normals, randomStream } from './random.ts';

// The reference: GPT-2 in scalar float64 arithmetic, written from its definition, with gradients by the chain rule on
// a tape of elementary operations. It shares neither a formula of a gradient nor a layout with the model.

interface Scalar {
  value: number;
  gradient: number;
  /** What it was computed from, with the partial derivatives. */
  from: [Scalar, number][];
}
type Vector = Scalar[];

const tape: Scalar[] = [];

function scalar(value: number, from: Scalar['from'] = []): Scalar {
  const made = { value, gradient: 0, from };
  tape.push(made);
  return made;
}

const add = (a: Scalar, b: Scalar) =>
  scalar(a.value + b.value, [
    [a, 1],
    [b, 1],
  ]);
const multiply = (a: Scalar, b: Scalar) =>
  scalar(a.value * b.value, [
    [a, b.value],
    [b, a.value],
  ]);
const shift = (a: Scalar, by: number) => scalar(a.value + by, [[a, 1]]);
const scale = (a: Scalar, by: number) => scalar(a.value * by, [[a, by]]);
const power = (a: Scalar, p: number) => scalar(a.value ** p, [[a, p * a.value ** (p - 1)]]);
const exp = (a: Scalar) => scalar(Math.exp(a.value), [[a, Math.exp(a.value)]]);
const log = (a: Scalar) => scalar(Math.log(a.value), [[a, 1 / a.value]]);
const tanh = (a: Scalar) => scalar(Math.tanh(a.value), [[a, 1 - Math.tanh(a.value) ** 2]]);
const subtract = (a: Scalar, b: Scalar) => add(a, scale(b, -1));
const sum = (values: Vector) =>
  scalar(
    values.reduce((total, { value }) => total + value, 0),
    values.map((value) => [value, 1]),
  );
const dot = (a: Vector, b: Vector) => sum(a.map((each, at) => multiply(each, b[at] as Scalar)));

function propagate(output: Scalar): void {
  output.gradient = 1;
  for (const { gradient, from } of tape.toReversed()) {
    for (const [input, partial] of from) input.gradient += gradient * partial;
  }
}

/** The model's weights on the tape, as rows of a matrix, by layer and name. */
function readWeights(model: Model): Map<string, Vector[]> {
  return new Map(
    model.layers.flatMap((layer) =>
      layer.parameters.map(({ name, variable }) => {
        const values = Array.from(variable.dataSync(), (value) => scalar(value));
        const columns = variable.shape.at(-1) as number;
        const rows = Array.from({ length: values.length / columns }, (_, row) =>
          values.slice(row * columns, (row + 1) * columns),
        );
        return [`${layer.name} ${name}`, rows];
      }),
    ),
  );
}

function readDirections(model: Model): Map<string, [Float32Array, Float32Array]> {
  return new Map(
    model.layers.flatMap((layer) =>
      [...layer.spectralNorms].map(([name, { u, v }]) => [
        `${layer.name} ${name}`,
        [u.dataSync<'float32'>(), v.dataSync<'float32'>()],
      ]),
    ),
  );
}

function normalized(x: Vector, gain: Vector, bias: Vector): Vector {
  const mean = scale(sum(x), 1 / x.length);
  const centered = x.map((each) => add(each, scale(mean, -1)));
  const variance = scale(dot(centered, centered), 1 / x.length);
  const inverse = power(shift(variance, 1e-5), -0.5);
  return centered.map((each, at) => add(multiply(multiply(each, inverse), gain[at] as Scalar), bias[at] as Scalar));
}

function rootMeanSquareNormalized(x: Vector, gain: Vector): Vector {
  const inverse = power(shift(scale(dot(x, x), 1 / x.length), 1e-5), -0.5);
  return x.map((each, at) => multiply(multiply(each, inverse), gain[at] as Scalar));
}

function affine(x: Vector, weight: Vector[], bias: Vector): Vector {
  return bias.map((each, column) =>
    add(
      dot(
        x,
        weight.map((row) => row[column] as Scalar),
      ),
      each,
    ),
  );
}

function gelu(x: Scalar): Scalar {
  const inner = scale(add(x, scale(power(x, 3), 0.044715)), Math.sqrt(2 / Math.PI));
  return scale(multiply(x, shift(tanh(inner), 1)), 0.5);
}

function softmax(scores: Vector): Vector {
  const exponentials = scores.map(exp);
  const inverse = power(sum(exponentials), -1);
  return exponentials.map((each) => multiply(each, inverse));
}

/** One head at one position: q [h], and the keys and values of this and the former positions. */
function attended(q: Vector, keys: Vector[], values: Vector[]): Vector {
  const weights = softmax(keys.map((key) => scale(dot(q, key), 1 / Math.sqrt(q.length))));
  return q.map((_, at) =>
    dot(
      weights,
      values.map((value) => value[at] as Scalar),
    ),
  );
}

type Norm = (x: Vector) => Vector;

/** qkv [T][3d], where a query or key goes through a norm of its own → [T][d] */
function attention(qkv: Vector[], heads: number, norms: { query: Norm; key: Norm }): Vector[] {
  const dim = (qkv[0]?.length as number) / 3;
  const size = dim / heads;
  const part = (at: number, which: number, head: number) => {
    const slice = (qkv[at] as Vector).slice(which * dim + head * size, which * dim + (head + 1) * size);
    return [norms.query, norms.key, (value: Vector) => value][which]?.(slice) as Vector;
  };
  return qkv.map((_, at) =>
    Array.from({ length: heads }, (_, head) => {
      const seen = Array.from({ length: at + 1 }, (_, before) => before);
      const keys = seen.map((before) => part(before, 1, head));
      return attended(
        part(at, 0, head),
        keys,
        seen.map((before) => part(before, 2, head)),
      );
    }).flat(),
  );
}

const plus = (a: Vector, b: Vector) => a.map((each, at) => add(each, b[at] as Scalar));
const columns = (matrix: Vector[]) => (matrix[0] as Vector).map((_, at) => matrix.map((row) => row[at] as Scalar));
const product = (x: Vector, matrix: Vector[]) => columns(matrix).map((column) => dot(x, column));

/** A model's parameters and, as constants, its spectral directions; by layer and name. */
interface Weights {
  matrix: (name: string) => Vector[];
  vector: (name: string) => Vector;
  /** u [in] and v [out] of a matrix that is divided by its spectral norm. */
  directions: (name: string) => [Float32Array, Float32Array] | null;
}

/** γ / (uᵀ W v) · W */
function spectrallyScaled(weight: Vector[], gamma: Scalar, [u, v]: [Float32Array, Float32Array]): Vector[] {
  const terms = weight.flatMap((row, i) => row.map((w, j) => scale(w, (u[i] as number) * (v[j] as number))));
  const factor = multiply(gamma, power(sum(terms), -1));
  return weight.map((row) => row.map((w) => multiply(w, factor)));
}

function block(xs: Vector[], layer: string, { heads, attention: kind, norm: place }: ModelConfig, weights: Weights) {
  const at = (name: string) => `${layer} ${name}`;
  const apply = (name: string) => {
    const directions = weights.directions(at(`${name}.weight`));
    const weight = weights.matrix(at(`${name}.weight`));
    const scaled = directions
      ? spectrallyScaled(weight, weights.vector(at(`${name}.scale`))[0] as Scalar, directions)
      : weight;
    const bias = weights.vector(at(`${name}.bias`));
    return (x: Vector) => affine(x, scaled, bias);
  };
  const norm = (name: string) => (x: Vector) =>
    normalized(x, weights.vector(at(`${name}.gain`)), weights.vector(at(`${name}.bias`)));
  const lowRank = (x: Vector) =>
    plus(
      ['q', 'k', 'v'].flatMap((part) =>
        product(product(x, weights.matrix(at(`attn.${part}.down`))), weights.matrix(at(`attn.${part}.up`))),
      ),
      weights.vector(at('attn.qkv.bias')),
    );
  const headNorm = (name: string) => (x: Vector) =>
    kind === 'qk-norm' ? rootMeanSquareNormalized(x, weights.vector(at(`${name}.gain`))) : x;
  const project = kind === 'mlra' ? lowRank : apply('attn.qkv');
  const output = apply('attn.proj');
  const attend = (inputs: Vector[]) =>
    attention(inputs.map(project), heads, {
      query: headNorm('attn.q_norm'),
      key: headNorm('attn.k_norm'),
    }).map(output);
  const [expand, contract] = [apply('mlp.fc'), apply('mlp.proj')];
  const network = (x: Vector) => contract(expand(x).map(gelu));
  if (place === 'post') {
    const mixed = attend(xs);
    const attended = xs.map((x, position) => norm('ln_1')(plus(x, mixed[position] as Vector)));
    return attended.map((x) => norm('ln_2')(plus(x, network(x))));
  }
  const mixed = attend(xs.map(norm('ln_1')));
  const attended = xs.map((x, position) => plus(x, mixed[position] as Vector));
  return attended.map((x) => plus(x, network(norm('ln_2')(x))));
}

function sequenceLosses(weights: Weights, config: ModelConfig, inputs: number[], targets: number[]): Vector {
  const { matrix, vector } = weights;
  let xs = inputs.map((token, at) =>
    plus(matrix('embedding wte')[token] as Vector, matrix('embedding wpe')[at] as Vector),
  );
  for (let layer = 1; layer <= config.layers; layer++) xs = block(xs, `block ${layer}`, config, weights);
  const head = matrix(config.tie ? 'embedding wte' : 'head lm_head');
  return xs.map((x, position) => {
    const final = normalized(x, vector('head ln_f.gain'), vector('head ln_f.bias'));
    const scores = head.map((row) => dot(final, row));
    return subtract(log(sum(scores.map(exp))), scores[targets[position] as number] as Scalar);
  });
}

function reference(model: Model, { inputs, targets }: Batch): { loss: number; gradients: Map<string, number[]> } {
  tape.length = 0;
  const parameters = readWeights(model);
  const weights: Weights = {
    matrix: (name) => parameters.get(name) as Vector[],
    vector: (name) => (parameters.get(name) as Vector[])[0] as Vector,
    directions: (name) => readDirections(model).get(name) ?? null,
  };
  const { context } = model.config;
  const losses: Vector = [];
  for (let from = 0; from < inputs.length; from += context) {
    const window = (tokens: Int32Array) => Array.from(tokens.subarray(from, from + context));
    losses.push(...sequenceLosses(weights, model.config, window(inputs), window(targets)));
  }
  const loss = scale(sum(losses), 1 / losses.length);
  propagate(loss);
  const gradients = [...parameters].map(([name, rows]) => [name, rows.flat().map(({ gradient }) => gradient)] as const);
  return { loss: loss.value, gradients: new Map(gradients) };
}

/** The model's gradients, by layer and name. */
function modelGradients(model: Model, batch: Batch): { loss: number; gradients: Map<string, Float32Array> } {
  const { loss, gradients } = lossAndGradients(model, batch);
  const named = model.layers.flatMap((layer, at) => {
    const vector = (gradients[at] as tf.Tensor1D).dataSync<'float32'>();
    let from = 0;
    return layer.parameters.map(({ name, variable }) => {
      from += variable.size;
      return [`${layer.name} ${name}`, vector.subarray(from - variable.size, from)] as const;
    });
  });
  const value = loss.dataSync<'float32'>()[0] as number;
  tf.dispose([loss, gradients]);
  return { loss: value, gradients: new Map(named) };
}

/** Relative to the reference, in the L2 norm. */
function distance(values: ArrayLike<number>, expected: readonly number[]): number {
  const difference = expected.map((each, at) => each - (values[at] as number));
  return Math.hypot(...difference) / Math.hypot(...expected);
}

/** A model whose weights are large enough for every path through it to matter. */
function lively(config: ModelConfig): Model {
  const model = new Model(config, 1);
  const random = randomStream(7);
  for (const { variable } of model.layers.flatMap(({ parameters }) => parameters)) {
    tf.tidy(() => {
      const noise = tf.tensor(normals(variable.size, 0.3, random), variable.shape);
      variable.assign(tf.add(variable, noise));
    });
  }
  model.updateSpectralNorms();
  return model;
}

function randomBatch({ context, vocabulary }: ModelConfig, sequences: number): Batch {
  const random = randomStream(11);
  const tokens = () => Int32Array.from({ length: sequences * context }, () => Math.floor(random() * vocabulary));
  return { inputs: tokens(), targets: tokens() };
}

const SMALL: ModelConfig = {
  ...{ layers: 2, heads: 2, dim: 8, context: 5, vocabulary: 11, tie: true },
  ...{ attention: 'mha', rank: null, norm: 'pre' },
};
let model: Model;
afterEach(() => model.dispose());

describe.each(['wasm', 'cpu'] as const)('on %s, loss and every gradient agree with float64 arithmetic', (backend) => {
  test.each<[string, ModelConfig, number]>([
    ['tied', SMALL, 3],
    ['untied', { ...SMALL, tie: false }, 3],
    ['one head, one sequence', { ...SMALL, heads: 1 }, 1], // a matrix product without a batch dimension
    ['mlra', { ...SMALL, attention: 'mlra', rank: 3 }, 3],
    ['sigma-reparam', { ...SMALL, attention: 'sigma-reparam' }, 3],
    ['qk-norm', { ...SMALL, attention: 'qk-norm' }, 3],
    ['post-norm', { ...SMALL, norm: 'post' }, 3],
  ])('%s', async (_, config, sequences) => {
    await chooseBackend(backend);
    model = lively(config);
    const batch = randomBatch(config, sequences);
    const actual = modelGradients(model, batch);
    const expected = reference(model, batch);

    expect(Math.abs(actual.loss / expected.loss - 1)).toBeLessThan(1e-6);
    expect([...actual.gradients.keys()]).toEqual([...expected.gradients.keys()]);
    for (const [name, gradient] of expected.gradients) {
      expect(distance(actual.gradients.get(name) ?? [], gradient), name).toBeLessThan(1e-5);
    }
  });
});

test('a gradient is clipped to its largest norm, and only where it is longer', () => {
  model = new Model(SMALL, 1);
  expect(clipFactor(4, 1)).toBe(0.25);
  expect(clipFactor(0.5, 1)).toBe(1);
  expect(clipFactor(4, 0)).toBe(1);
  expect(clipFactor(Number.NaN, 1)).toBe(1);
});
