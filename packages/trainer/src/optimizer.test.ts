import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { chooseBackend } from './backend.ts';
import type { AdamWConfig, OptimizerConfig, SgdConfig } from './config.ts';
import { Layer } from './layer.ts';
import { createOptimizer, type UpdateStatistics } from './optimizer.ts';

const GRADIENTS = [
  [1, -2, 0.5, 0, 3, -0.25],
  [0.5, 1, -1, 0, 3, 0.5],
  [-1, 0.1, 2, 0, 3, 0.125],
];

interface Updated {
  /** Weights: before the three updates, and after each. */
  weights: number[][];
  statistics: UpdateStatistics[];
}

/** A matrix of 2 × 2 and a gain of 2. */
async function updated(config: OptimizerConfig): Promise<Updated> {
  await chooseBackend('cpu');
  const layer = new Layer('block 1', 1, 1);
  const [matrix, vector] = [layer.matrix('weight', 2, 2), layer.vector('gain', 2, 1)];
  const read = () => [...matrix.dataSync(), ...vector.dataSync()];
  const weights = [read()];
  const statistics: UpdateStatistics[] = [];
  const optimizer = createOptimizer([layer], config);
  for (const [step, gradient] of GRADIENTS.entries()) {
    const tensor = tf.tensor1d(gradient);
    statistics.push(await optimizer.update([tensor], 0.1, step));
    tensor.dispose();
    weights.push(read());
  }
  optimizer.dispose();
  layer.dispose();
  return { weights, statistics };
}

/** The matrix has weight decay, the gain has none. */
async function expectUpdates<C extends OptimizerConfig>(
  config: C,
  reference: (weight: number, gradients: number[], rate: number, config: C) => number,
): Promise<void> {
  const { weights } = await updated(config);
  const [before, after] = [weights[0] as number[], weights[3] as number[]];
  expect(after).toHaveLength(6);
  after.forEach((weight, at) => {
    const gradients = GRADIENTS.map((gradient) => gradient[at] as number);
    const decay = at < 4 ? config.weightDecay : 0;
    expect(weight).toBeCloseTo(reference(before[at] as number, gradients, 0.1, { ...config, weightDecay: decay }), 6);
  });
}

test('three updates of adamw follow the algorithm, with weight decay on the matrix alone', async () => {
  await expectUpdates(ADAMW, adamW);
});

test('three updates of sgd follow the algorithm, with weight decay on the matrix alone', async () => {
  await expectUpdates({ name: 'sgd', momentum: 0.9, weightDecay: 0.5 }, sgd);
});

const ADAMW: AdamWConfig = { name: 'adamw', beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.5 };

test.each<OptimizerConfig>([ADAMW, { name: 'sgd', momentum: 0.9, weightDecay: 0.5 }])(
  'the share of an update of $name is the distance that the weights move over their norm before it',
  async (config) => {
    const { weights, statistics } = await updated(config);
    statistics.forEach(({ updateShare }, at) => {
      const [before, after] = [weights[at] as number[], weights[at + 1] as number[]];
      const moved = Math.hypot(...after.map((weight, place) => weight - (before[place] as number)));
      expect(updateShare).toBeCloseTo(moved / Math.hypot(...before), 5);
    });
  },
);

test('the RMS of an update of adamw is over g and its unbiased second moment, where an entry without gradients is 0', async () => {
  const { statistics } = await updated(ADAMW);
  statistics.forEach(({ updateRms }, step) => {
    const ratios = GRADIENTS[0]?.map((_, at) => {
      const gradients = GRADIENTS.slice(0, step + 1).map((gradient) => gradient[at] as number);
      // the sums of the exponential averages written out
      const share = gradients.map((_, age) => 0.95 ** (step - age));
      const square = gradients.reduce((sum, gradient, age) => sum + (share[age] as number) * gradient ** 2, 0);
      const unbiased = square / share.reduce((sum, each) => sum + each, 0);
      return unbiased === 0 ? 0 : (gradients[step] as number) ** 2 / unbiased;
    }) as number[];
    expect(updateRms).toBeCloseTo(Math.sqrt(ratios.reduce((sum, ratio) => sum + ratio, 0) / 6), 5);
  });
});

test('sgd has no second moment, and so no RMS', async () => {
  const { statistics } = await updated({ name: 'sgd', momentum: 0.9, weightDecay: 0.5 });
  expect(statistics.map((each) => 'updateRms' in each)).toEqual([false, false, false]);
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
