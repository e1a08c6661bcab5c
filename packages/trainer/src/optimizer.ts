import * as tf from '@tensorflow/tfjs';
import type { AdamWConfig, OptimizerConfig, SgdConfig } from './config.ts';
import type { Gradients } from './gradients.ts';
import type { Layer, NamedVariable } from './layer.ts';

// A layer is one vector here, so that an update is few long operations.

/** What an update did to all weights together. */
export interface UpdateStatistics {
  /** L2 norm of the change over that of the weights before it. */
  updateShare: number;
  /**
   * Root mean square of g / max(√v, ε), of AdamW alone: g the gradient as the optimizer receives it, v its unbiased second
   * moment after the update. StableAdamW (Wortsman et al., arXiv 2304.13013, algorithm 2) takes it for each tensor.
   */
  updateRms?: number;
}

export interface Optimizer {
  /** The state, for a checkpoint. */
  readonly variables: readonly NamedVariable[];
  /** Updates the weights. Steps are counted from 0. The caller disposes of the gradients. */
  update(gradients: Gradients, learningRate: number, step: number): Promise<UpdateStatistics>;
  dispose(): void;
}

export function createOptimizer(layers: readonly Layer[], config: OptimizerConfig): Optimizer {
  return config.name === 'adamw' ? new AdamW(layers, config) : new Sgd(layers, config);
}

class AdamW implements Optimizer {
  private readonly config: AdamWConfig;
  private readonly layers: readonly LayerWeights[];
  private readonly means: readonly tf.Variable[];
  private readonly squares: readonly tf.Variable[];

  constructor(layers: readonly Layer[], config: AdamWConfig) {
    this.config = config;
    this.layers = layers.map((layer) => new LayerWeights(layer));
    this.means = layers.map(zeros);
    this.squares = layers.map(zeros);
  }

  get variables(): NamedVariable[] {
    return [...named('adamw.mean', this.layers, this.means), ...named('adamw.square', this.layers, this.squares)];
  }

  async update(gradients: Gradients, learningRate: number, step: number): Promise<UpdateStatistics> {
    const { beta1, beta2, epsilon, weightDecay } = this.config;
    const sums = this.layers.map((layer, at) => {
      const [gradient, mean, square] = [gradients[at], this.means[at], this.squares[at]] as [
        tf.Tensor1D,
        tf.Variable,
        tf.Variable,
      ];
      return tf.tidy(() => {
        mean.assign(tf.add(tf.mul(mean, beta1), tf.mul(gradient, 1 - beta1)));
        square.assign(tf.add(tf.mul(square, beta2), tf.mul(tf.square(gradient), 1 - beta2)));
        const unbiasedMean = tf.div(mean, 1 - beta1 ** (step + 1));
        const unbiasedSquare = tf.div(square, 1 - beta2 ** (step + 1));
        const weights = layer.read();
        const direction = tf.div(unbiasedMean, tf.add(tf.sqrt(unbiasedSquare), epsilon));
        const change = tf.mul(tf.add(direction, layer.decay(weights, weightDecay)), learningRate);
        layer.write(tf.sub(weights, change));
        const ratios = tf.div(tf.square(gradient), tf.maximum(unbiasedSquare, epsilon ** 2));
        return squareSums(change, weights, tf.sum(ratios));
      });
    });
    const [changed = 0, before = 0, ratios = 0] = await totals(sums);
    const size = this.layers.reduce((total, { layer }) => total + layer.size, 0);
    return { updateShare: Math.sqrt(changed / before), updateRms: Math.sqrt(ratios / size) };
  }

  dispose(): void {
    tf.dispose([...this.means, ...this.squares]);
    for (const layer of this.layers) layer.dispose();
  }
}

class Sgd implements Optimizer {
  private readonly config: SgdConfig;
  private readonly layers: readonly LayerWeights[];
  private readonly momenta: readonly tf.Variable[];

  constructor(layers: readonly Layer[], config: SgdConfig) {
    this.config = config;
    this.layers = layers.map((layer) => new LayerWeights(layer));
    this.momenta = layers.map(zeros);
  }

  get variables(): NamedVariable[] {
    return named('sgd.momentum', this.layers, this.momenta);
  }

  async update(gradients: Gradients, learningRate: number): Promise<UpdateStatistics> {
    const { momentum, weightDecay } = this.config;
    const sums = this.layers.map((layer, at) => {
      const [gradient, buffer] = [gradients[at], this.momenta[at]] as [tf.Tensor1D, tf.Variable];
      return tf.tidy(() => {
        const weights = layer.read();
        buffer.assign(tf.add(tf.mul(buffer, momentum), tf.add(gradient, layer.decay(weights, weightDecay))));
        const change = tf.mul(buffer, learningRate);
        layer.write(tf.sub(weights, change));
        return squareSums(change, weights);
      });
    });
    const [changed = 0, before = 0] = await totals(sums);
    return { updateShare: Math.sqrt(changed / before) };
  }

  dispose(): void {
    tf.dispose([...this.momenta]);
    for (const layer of this.layers) layer.dispose();
  }
}

/** A layer's parameters as one vector. */
class LayerWeights {
  readonly layer: Layer;
  /** 1 where weight decay applies, else 0. */
  private readonly decays: tf.Tensor1D;

  constructor(layer: Layer) {
    this.layer = layer;
    this.decays = tf.tidy(() =>
      tf.concat1d(layer.parameters.map(({ variable, decays }) => tf.fill([variable.size], decays ? 1 : 0))),
    );
  }

  read(): tf.Tensor1D {
    return tf.concat1d(this.layer.parameters.map(({ variable }) => tf.reshape(variable, [-1]) as tf.Tensor1D));
  }

  write(weights: tf.Tensor1D): void {
    let at = 0;
    for (const { variable } of this.layer.parameters) {
      variable.assign(tf.reshape(tf.slice1d(weights, at, variable.size), variable.shape));
      at += variable.size;
    }
  }

  /** What weight decay subtracts from the weights, before it is multiplied by the learning rate. */
  decay(weights: tf.Tensor1D, rate: number): tf.Tensor1D {
    return tf.mul(tf.mul(weights, this.decays), rate);
  }

  dispose(): void {
    this.decays.dispose();
  }
}

/** The sums of squares of a layer's change and of its weights, and further sums beside them. */
function squareSums(change: tf.Tensor, weights: tf.Tensor, ...others: tf.Tensor[]): tf.Tensor {
  return tf.stack([tf.sum(tf.square(change)), tf.sum(tf.square(weights)), ...others]);
}

/** The sums over all layers. It disposes of `sums`. */
async function totals(sums: tf.Tensor[]): Promise<Float32Array> {
  const total = tf.addN(sums);
  tf.dispose(sums);
  const values = await total.data<'float32'>();
  total.dispose();
  return values;
}

function zeros({ size }: Layer): tf.Variable {
  return tf.tidy(() => tf.variable(tf.zeros([size]), false));
}

function named(what: string, layers: readonly LayerWeights[], variables: readonly tf.Variable[]): NamedVariable[] {
  return variables.map((variable, at) => ({ name: `${what}/${layers[at]?.layer.name}`, variable }));
}
