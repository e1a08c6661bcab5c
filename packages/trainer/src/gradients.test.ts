import * as tf from '@tensorflow/tfjs';
import { afterEach, describe, expect, test } from 'vitest';
import { chooseBackend } from './backend.ts';
import { clipFactor, lossAndGradients } from './gradients.ts';
import { type Batch, Model, type ModelConfig } from './model.ts';
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

function normalised(x: Vector, gain: Vector, bias: Vector): Vector {
  const mean = scale(sum(x), 1 / x.length);
  const centred = x.map((each) => add(each, scale(mean, -1)));
  const variance = scale(dot(centred, centred), 1 / x.length);
  const inverse = power(shift(variance, 1e-5), -0.5);
  return centred.map((each, at) => add(multiply(multiply(each, inverse), gain[at] as Scalar), bias[at] as Scalar));
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

function attention(xs: Vector[], heads: number, weight: Vector[], bias: Vector): Vector[] {
  const dim = xs[0]?.length as number;
  const size = dim / heads;
  const qkv = xs.map((x) => affine(x, weight, bias));
  const part = (at: number, which: number, head: number) =>
    (qkv[at] as Vector).slice(which * dim + head * size, which * dim + (head + 1) * size);
  return xs.map((_, at) =>
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

function sequenceLosses(
  weights: Map<string, Vector[]>,
  config: ModelConfig,
  inputs: number[],
  targets: number[],
): Vector {
  const matrix = (name: string) => weights.get(name) as Vector[];
  const vector = (name: string) => matrix(name)[0] as Vector;
  let xs = inputs.map((token, at) =>
    plus(matrix('embedding wte')[token] as Vector, matrix('embedding wpe')[at] as Vector),
  );
  for (let layer = 1; layer <= config.layers; layer++) {
    const at = (name: string) => `block ${layer} ${name}`;
    const apply = (name: string, x: Vector) => affine(x, matrix(at(`${name}.weight`)), vector(at(`${name}.bias`)));
    const norm = (name: string, x: Vector) => normalised(x, vector(at(`${name}.gain`)), vector(at(`${name}.bias`)));
    const mixed = attention(
      xs.map((x) => norm('ln_1', x)),
      config.heads,
      matrix(at('attn.qkv.weight')),
      vector(at('attn.qkv.bias')),
    );
    xs = xs.map((x, position) => plus(x, apply('attn.proj', mixed[position] as Vector)));
    xs = xs.map((x) => plus(x, apply('mlp.proj', apply('mlp.fc', norm('ln_2', x)).map(gelu))));
  }
  const head = matrix(config.tie ? 'embedding wte' : 'head lm_head');
  return xs.map((x, position) => {
    const final = normalised(x, vector('head ln_f.gain'), vector('head ln_f.bias'));
    return scale(log(softmax(head.map((row) => dot(final, row)))[targets[position] as number] as Scalar), -1);
  });
}

function reference(model: Model, { inputs, targets }: Batch): { loss: number; gradients: Map<string, number[]> } {
  tape.length = 0;
  const weights = readWeights(model);
  const { context } = model.config;
  const losses: Vector = [];
  for (let from = 0; from < inputs.length; from += context) {
    const window = (tokens: Int32Array) => Array.from(tokens.subarray(from, from + context));
    losses.push(...sequenceLosses(weights, model.config, window(inputs), window(targets)));
  }
  const loss = scale(sum(losses), 1 / losses.length);
  propagate(loss);
  const gradients = [...weights].map(([name, rows]) => [name, rows.flat().map(({ gradient }) => gradient)] as const);
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
  return model;
}

function randomBatch({ context, vocabulary }: ModelConfig, sequences: number): Batch {
  const random = randomStream(11);
  const tokens = () => Int32Array.from({ length: sequences * context }, () => Math.floor(random() * vocabulary));
  return { inputs: tokens(), targets: tokens() };
}

const SMALL: ModelConfig = { layers: 2, heads: 2, dim: 8, context: 5, vocabulary: 11, tie: true };
let model: Model;
afterEach(() => model.dispose());

describe.each(['wasm', 'cpu'] as const)('on %s, loss and every gradient agree with float64 arithmetic', (backend) => {
  test.each([
    ['tied', SMALL, 3],
    ['untied', { ...SMALL, tie: false }, 3],
    ['one head, one sequence', { ...SMALL, heads: 1 }, 1], // a matrix product without a batch dimension
  ] as const)('%s', async (_, config, sequences) => {
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
