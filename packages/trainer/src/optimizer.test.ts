import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { chooseBackend } from './backend.ts';
import type { AdamWConfig, OptimizerConfig, SgdConfig } from './config.ts';
import { Layer } from './layer.ts';
import { createOptimizer } from './optimizer.ts';

const GRADIENTS = [
  [1, -2, 0.5, 0, 3, -0.25],
  [0.5, 1, -1, 0, 3, 0.5],
  [-1, 0.1, 2, 0, 3, 0.125],
];

/** The weights of a matrix of 2 × 2 and a gain of 2, before and after the three updates. */
async function updated(config: OptimizerConfig): Promise<{ before: number[]; after: number[] }> {
  await chooseBackend('cpu');
  const layer = new Layer('block 1', 1, 1);
  const [matrix, vector] = [layer.matrix('weight', 2, 2), layer.vector('gain', 2, 1)];
  const read = () => [...matrix.dataSync(), ...vector.dataSync()];
  const before = read();
  const optimizer = createOptimizer([layer], config);
  GRADIENTS.forEach((gradient, step) => {
    const tensor = tf.tensor1d(gradient);
    optimizer.update([tensor], 0.1, step);
    tensor.dispose();
  });
  const after = read();
  optimizer.dispose();
  layer.dispose();
  return { before, after };
}

/** The matrix has weight decay, the gain has none. */
async function expectUpdates<C extends OptimizerConfig>(
  config: C,
  reference: (weight: number, gradients: number[], rate: number, config: C) => number,
): Promise<void> {
  const { before, after } = await updated(config);
  expect(after).toHaveLength(6);
  after.forEach((weight, at) => {
    const gradients = GRADIENTS.map((gradient) => gradient[at] as number);
    const decay = at < 4 ? config.weightDecay : 0;
    expect(weight).toBeCloseTo(reference(before[at] as number, gradients, 0.1, { ...config, weightDecay: decay }), 6);
  });
}

test('three updates of adamw follow the algorithm, with weight decay on the matrix alone', async () => {
  await expectUpdates({ name: 'adamw', beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.5 }, adamW);
});

test('three updates of sgd follow the algorithm, with weight decay on the matrix alone', async () => {
  await expectUpdates({ name: 'sgd', momentum: 0.9, weightDecay: 0.5 }, sgd);
});

/** arXiv 1711.05101, algorithm 2, for one weight. */
function adamW(weight: number, gradients: number[], rate: number, config: AdamWConfig): number {
  const { beta1, beta2, epsilon, weightDecay } = config;
  let [theta, m, v] = [weight, 0, 0];
  gradients.forEach((gradient, at) => {
    m = beta1 * m + (1 - beta1) * gradient;
    v = beta2 * v + (1 - beta2) * gradient ** 2;
    const mHat = m / (1 - beta1 ** (at + 1));
    const vHat = v / (1 - beta2 ** (at + 1));
    theta -= rate * (mHat / (Math.sqrt(vHat) + epsilon) + weightDecay * theta);
  });
  return theta;
}

/** b ← μ b + g + λ w, w ← w − lr b, for one weight. */
function sgd(weight: number, gradients: number[], rate: number, { momentum, weightDecay }: SgdConfig): number {
  let [w, b] = [weight, 0];
  for (const gradient of gradients) {
    b = momentum * b + gradient + weightDecay * w;
    w -= rate * b;
  }
  return w;
}
