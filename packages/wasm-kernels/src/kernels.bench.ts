import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { bench, describe } from 'vitest';
import { registerWasmKernels } from './kernels.ts';

// The kernels beside those of TensorFlow.js, on the shapes of a training step of 6 layers, 4 heads and dimension 128, on
// 8 sequences of 128 tokens: npx vitest bench packages/wasm-kernels

const NAMES = [tf.BatchMatMul, tf.Slice, tf.SplitV, tf.GatherV2];
const stock = NAMES.map((name) => tf.getKernel(name, 'wasm'));
await tf.setBackend('wasm');
registerWasmKernels();
const ours = NAMES.map((name) => tf.getKernel(name, 'wasm'));

/** Registers one of the two sets. */
function use(kernels: readonly tf.KernelConfig[]): void {
  for (const kernel of kernels) {
    tf.unregisterKernel(kernel.kernelName, 'wasm');
    tf.registerKernel(kernel);
  }
}

const tensor = (...shape: number[]) => tf.randomNormal(shape, 0, 1, 'float32', 1);
const x = tensor(1024, 128); // [N, d]
const gradient = tensor(1024, 512); // [N, 4d]
const weight = tensor(128, 512); // [d, 4d]
const heads = tensor(32, 128, 32); // [G, T, h]
const qkv = tensor(8, 12, 128, 32); // [B, 3H, T, h]
const embedding = tensor(256, 128); // [V, d]
const tokens = tf.randomUniformInt([1024], 0, 256, 1); // [N]

describe.each<[string, () => tf.Tensor | tf.Tensor[]]>([
  ['x · W', () => tf.matMul(x, weight)],
  ['dy · Wᵀ', () => tf.matMul(gradient, weight, false, true)],
  ['xᵀ · dy', () => tf.matMul(x, gradient, true)],
  ['q · kᵀ of 32 heads', () => tf.matMul(heads, heads, false, true)],
  ['split of queries, keys and values', () => tf.split(qkv, 3, 1)],
  ['lookup of 1024 tokens', () => tf.gather(embedding, tokens)],
])('%s', (_, compute) => {
  const run = () => tf.dispose(compute());
  bench('TensorFlow.js', run, { setup: () => use(stock) });
  bench('wasm-kernels', run, { setup: () => use(ours) });
});
