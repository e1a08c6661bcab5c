import * as tf from '@tensorflow/tfjs';
import type { Layer } from './layer.ts';
import type { Batch, Model } from './model.ts';

/** A flat vector for each layer: its parameters in their order. The caller disposes of them. */
export type Gradients = tf.Tensor1D[];

/** The mean loss of a batch, in nats, and its gradients. */
export function lossAndGradients(model: Model, batch: Batch): { loss: tf.Scalar; gradients: Gradients } {
  return tf.tidy(() => {
    const variables = model.layers.flatMap(({ parameters }) => parameters.map(({ variable }) => variable));
    const { value, grads } = tf.variableGrads(() => model.loss(batch), variables);
    return { loss: value, gradients: model.layers.map((layer) => flat(layer, grads)) };
  });
}

function flat({ parameters }: Layer, gradients: tf.NamedTensorMap): tf.Tensor1D {
  const vectors = parameters.map(({ variable }) => tf.reshape(gradients[variable.name] as tf.Tensor, [-1]));
  return tf.concat(vectors) as tf.Tensor1D;
}

/** The sums of two gradients, both of which it disposes of. */
export function summed(sums: Gradients, gradients: Gradients): Gradients {
  const next = tf.tidy(() => sums.map((sum, at) => tf.add(sum, gradients[at] as tf.Tensor1D) as tf.Tensor1D));
  tf.dispose([sums, gradients]);
  return next;
}

/** Gradients times a factor. It disposes of `gradients`. */
export function scaled(gradients: Gradients, factor: number): Gradients {
  const next = tf.tidy(() => gradients.map((gradient) => tf.mul(gradient, factor) as tf.Tensor1D));
  tf.dispose(gradients);
  return next;
}

/** The L2 norm over all layers. */
export async function globalNorm(gradients: Gradients): Promise<number> {
  const norm = tf.tidy(() => tf.sqrt(tf.addN(gradients.map((gradient) => tf.sum(tf.square(gradient))))));
  const [value] = await norm.data<'float32'>();
  norm.dispose();
  return value as number;
}

/** The factor that scales a gradient of this norm down to `max`, 1 where it is not larger; a `max` of 0 never clips. */
export function clipFactor(norm: number, max: number): number {
  return max > 0 && norm > max ? max / norm : 1;
}
