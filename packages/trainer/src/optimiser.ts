import * as tf from '@tensorflow/tfjs';
import type { Gradients } from './gradients.ts';
import type { Layer } from './model.ts';

export interface AdamWConfig {
  beta1: number;
  beta2: number;
  /** TensorFlow.js defaults to 1e-7 and PyTorch to 1e-8; the difference shows in the loss. */
  epsilon: number;
  /** Decoupled from the gradient, and times the learning rate. */
  weightDecay: number;
}

/** What one layer's parameters have gathered, each as one flat vector. */
interface LayerState {
  layer: Layer;
  /** 1 where weight decay applies, else 0. */
  decays: tf.Tensor1D;
  mean: tf.Tensor1D;
  square: tf.Tensor1D;
}

/** AdamW (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2). A layer is one vector here: few long operations. */
export class AdamW {
  private readonly config: AdamWConfig;
  private readonly states: LayerState[];
  private updates = 0;

  constructor(layers: readonly Layer[], config: AdamWConfig) {
    this.config = config;
    this.states = layers.map((layer) => ({
      layer,
      decays: tf.tidy(() => tf.concat1d(layer.parameters.map(decayMask))),
      mean: tf.zeros([layer.size]),
      square: tf.zeros([layer.size]),
    }));
  }

  /** Updates the parameters by the gradients, which stay the caller's. */
  update(gradients: Gradients, learningRate: number): void {
    this.updates++;
    this.states.forEach((state, at) => {
      this.updateLayer(state, gradients[at] as tf.Tensor1D, learningRate);
    });
  }

  dispose(): void {
    for (const { decays, mean, square } of this.states) tf.dispose([decays, mean, square]);
  }

  private updateLayer(state: LayerState, gradient: tf.Tensor1D, learningRate: number): void {
    const { beta1, beta2, epsilon, weightDecay } = this.config;
    const [mean, square] = tf.tidy(() => {
      const mean = tf.add(tf.mul(state.mean, beta1), tf.mul(gradient, 1 - beta1));
      const square = tf.add(tf.mul(state.square, beta2), tf.mul(tf.square(gradient), 1 - beta2));
      const unbiasedMean = tf.div(mean, 1 - beta1 ** this.updates);
      const unbiasedSquare = tf.div(square, 1 - beta2 ** this.updates);
      const weights = flatWeights(state.layer);
      const decay = tf.mul(tf.mul(weights, state.decays), weightDecay);
      const step = tf.add(tf.div(unbiasedMean, tf.add(tf.sqrt(unbiasedSquare), epsilon)), decay);
      assignFlat(state.layer, tf.sub(weights, tf.mul(step, learningRate)));
      return [mean as tf.Tensor1D, square as tf.Tensor1D];
    });
    tf.dispose([state.mean, state.square]);
    state.mean = mean;
    state.square = square;
  }
}

function decayMask({ variable, decays }: Layer['parameters'][number]): tf.Tensor1D {
  return tf.fill([variable.size], decays ? 1 : 0);
}

function flatWeights(layer: Layer): tf.Tensor1D {
  return tf.concat1d(layer.parameters.map(({ variable }) => tf.reshape(variable, [-1]) as tf.Tensor1D));
}

function assignFlat(layer: Layer, weights: tf.Tensor1D): void {
  let at = 0;
  for (const { variable } of layer.parameters) {
    variable.assign(tf.reshape(tf.slice1d(weights, at, variable.size), variable.shape));
    at += variable.size;
  }
}
