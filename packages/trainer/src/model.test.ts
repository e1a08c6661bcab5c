import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { chooseBackend } from './backend.ts';
import type { ModelConfig } from './config.ts';
import { Model } from './model.ts';

const CONFIG: ModelConfig = {
  ...{ layers: 8, heads: 4, dim: 32, context: 16, vocabulary: 256, tie: true },
  ...{ attention: 'mha', rank: null, norm: 'pre' },
};

let model: Model;
beforeAll(async () => void (await chooseBackend('cpu')));
afterEach(() => model.dispose());

function weights(layer: string, name: string): Float32Array {
  const parameters = model.layers.find((each) => each.name === layer)?.parameters;
  const found = parameters?.find((each) => each.name === name);
  if (!found) throw new Error(`no ${layer} ${name}`);
  return found.variable.dataSync<'float32'>();
}

function std(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

test('it has as many parameters as GPT-2 of its size', () => {
  const { layers, dim, context, vocabulary } = CONFIG;
  const block = 4 * dim ** 2 + 8 * dim ** 2 + 9 * dim + 4 * dim; // attention, network, their biases, two norms
  const tied = (vocabulary + context) * dim + layers * block + 2 * dim;
  model = new Model(CONFIG, 1);
  expect(model.parameterCount).toBe(tied);
  model.dispose();
  model = new Model({ ...CONFIG, tie: false }, 1);
  expect(model.parameterCount).toBe(tied + vocabulary * dim);
});

test('it starts as GPT-2 does: N(0, 0.02²), the ways back to the residual stream smaller by √(2L)', () => {
  model = new Model(CONFIG, 1);
  expect(std(weights('embedding', 'wte')) / 0.02).toBeCloseTo(1, 1);
  expect(std(weights('block 3', 'attn.qkv.weight')) / 0.02).toBeCloseTo(1, 1);
  expect(std(weights('block 3', 'mlp.proj.weight')) / (0.02 / 4)).toBeCloseTo(1, 1);
  expect([...new Set(weights('block 3', 'ln_1.gain'))]).toEqual([1]);
  expect([...new Set(weights('block 3', 'attn.qkv.bias'))]).toEqual([0]);
});

test('at half the dimension, mlra has as many parameters as mha, and its products start as spread', () => {
  model = new Model(CONFIG, 1);
  const { parameterCount } = model;
  model.dispose();
  model = new Model({ ...CONFIG, attention: 'mlra', rank: 16 }, 1);
  expect(model.parameterCount).toBe(parameterCount);
  const entries = model.layers.slice(1, -1).flatMap(({ name }) => {
    const [down, up] = ['down', 'up'].map((part) => weights(name, `attn.q.${part}`)) as [Float32Array, Float32Array];
    return Array.from({ length: 32 * 32 }, (_, at) => {
      const [row, column] = [Math.floor(at / 32), at % 32];
      let entry = 0;
      for (let k = 0; k < 16; k++) entry += (down[row * 16 + k] as number) * (up[k * 32 + column] as number);
      return entry;
    });
  });
  expect(std(Float32Array.from(entries)) / 0.02).toBeCloseTo(1, 1);
});

test('mlra at full rank is mha with the product matrix', async () => {
  const config = { ...CONFIG, layers: 1 };
  const batch = {
    inputs: Int32Array.from({ length: 32 }, (_, at) => (at * 37) % 256),
    targets: Int32Array.from({ length: 32 }, (_, at) => (at * 11) % 256),
  };
  const low = new Model({ ...config, attention: 'mlra', rank: 32 }, 1);
  model = new Model(config, 1);
  const parameter = (of: Model, name: string) =>
    of.layers[1]?.parameters.find((each) => each.name === name)?.variable as tf.Variable<tf.Rank.R2>;
  tf.tidy(() => {
    const products = ['q', 'k', 'v'].map((part) =>
      tf.mul(tf.matMul(parameter(low, `attn.${part}.down`), parameter(low, `attn.${part}.up`)), 20),
    );
    for (const part of ['q', 'k', 'v']) {
      const up = parameter(low, `attn.${part}.up`);
      up.assign(tf.mul(up, 20)); // far from a uniform attention
    }
    parameter(model, 'attn.qkv.weight').assign(tf.concat(products as tf.Tensor2D[], 1));
  });
  const [first] = tf.tidy(() => low.loss(batch)).dataSync();
  const [second] = tf.tidy(() => model.loss(batch)).dataSync();
  low.dispose();
  expect(first).toBeCloseTo(second as number, 6);
});

test('what is observed of the activations is what their definition gives', async () => {
  model = new Model({ ...CONFIG, layers: 0 }, 1);
  const inputs = Int32Array.from({ length: 32 }, (_, at) => (at * 37) % 256);
  const [wte, wpe] = [weights('embedding', 'wte'), weights('embedding', 'wpe')];
  const rows = Array.from(inputs, (token, at) =>
    Array.from({ length: 32 }, (_, i) => (wte[token * 32 + i] as number) + (wpe[(at % 16) * 32 + i] as number)),
  );
  const variance = rows.reduce((sum, row) => sum + std(Float32Array.from(row)) ** 2, 0) / rows.length;
  model.dispose();
  model = new Model(CONFIG, 1);
  const { layerOutVar, attentionLogitMax } = await model.observe({ inputs, targets: inputs });
  expect(layerOutVar).toHaveLength(10); // embedding, eight blocks, head
  expect((layerOutVar[0] as number) / variance).toBeCloseTo(1, 4);
  expect(layerOutVar[9]).toBeGreaterThan(0.9); // a norm of gain 1 leaves a variance of 1, less its epsilon
  expect(attentionLogitMax).toBeGreaterThan(0);
  expect(attentionLogitMax).toBeLessThan(1);
});

test('the seed alone decides the weights; tying the head changes no other', () => {
  model = new Model(CONFIG, 1);
  const first = weights('block 8', 'mlp.fc.weight');
  model.dispose();
  model = new Model({ ...CONFIG, tie: false }, 1);
  expect(weights('block 8', 'mlp.fc.weight')).toEqual(first);
  expect(weights('block 7', 'mlp.fc.weight')).not.toEqual(first);
  model.dispose();
  model = new Model(CONFIG, 2);
  expect(weights('block 8', 'mlp.fc.weight')).not.toEqual(first);
});
