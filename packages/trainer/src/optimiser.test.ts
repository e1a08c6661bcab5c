import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { chooseBackend } from './backend.ts';
import { Layer } from './model.ts';
import { AdamW } from './optimiser.ts';

test('three updates follow the algorithm, with weight decay on the matrix alone', async () => {
  await chooseBackend('cpu');
  const layer = new Layer('block 1', 1, 1);
  const matrix = layer.matrix('weight', 2, 2);
  const vector = layer.vector('gain', 2, 1);
  const config = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.5 };
  const optimiser = new AdamW([layer], config);
  const gradients = [
    [1, -2, 0.5, 0, 3, -0.25],
    [0.5, 1, -1, 0, 3, 0.5],
    [-1, 0.1, 2, 0, 3, 0.125],
  ];
  const expected = Array.from([...matrix.dataSync(), ...vector.dataSync()], (weight, at) =>
    adamW(
      weight,
      gradients.map((gradient) => gradient[at] as number),
      0.1,
      at < 4 ? config : { ...config, weightDecay: 0 },
    ),
  );
  for (const gradient of gradients) optimiser.update([tf.tensor1d(gradient)], 0.1);
  const actual = [...matrix.dataSync(), ...vector.dataSync()];
  actual.forEach((weight, at) => {
    expect(weight).toBeCloseTo(expected[at] as number, 6);
  });
});

/** arXiv 1711.05101, algorithm 2, for one weight. */
function adamW(
  weight: number,
  gradients: number[],
  rate: number,
  config: ConstructorParameters<typeof AdamW>[1],
): number {
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
