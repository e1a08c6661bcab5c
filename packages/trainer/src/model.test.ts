import { afterEach, beforeAll, expect, test } from 'vitest';
import { chooseBackend } from './backend.ts';
import { Model, type ModelConfig } from './model.ts';

const CONFIG: ModelConfig = { layers: 8, heads: 4, dim: 32, context: 16, vocabulary: 256, tie: true };

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
