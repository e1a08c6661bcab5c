import * as tf from '@tensorflow/tfjs';
import { affine, headNorm, type Projection, queriesKeysValues } from './attention.ts';
import type { ModelConfig } from './config.ts';
import { INITIAL_STD, Layer, type NamedVariable } from './layer.ts';
import { attend, attentionScores, causalMask, crossEntropy, embed, gelu, layerNorm, project } from './ops.ts';

// GPT-2 (Radford et al., 2019): a decoder with layer normalization before each sublayer.
// Shapes: B sequences, T tokens each, N = B · T, d model dimension, H heads, h = d / H, L layers, V vocabulary.
// Activations stay [N, d]: to all but attention, a position is a position.

/** Dimension of the hidden layer of a block's network, in d. */
const HIDDEN = 4;

/** Sequences to learn from: each target is the token that follows its input. Both [B, T], flattened. */
export interface Batch {
  inputs: Int32Array;
  targets: Int32Array;
}

/** Called during a forward pass. */
interface Observer {
  /** With the output of a layer. [N, d] */
  output: (x: tf.Tensor2D) => void;
  /** With what the attention scores of a block are computed from. q, k [G, T, h], mask [T, T] */
  scores: (q: tf.Tensor3D, k: tf.Tensor3D, mask: tf.Tensor2D) => void;
}

/** Activations of one batch, see {@link Model.observe}. */
export interface Activations {
  layerOutVar: number[];
  attentionLogitMax: number;
}

type Sublayer = (x: tf.Tensor2D, observer?: Observer) => tf.Tensor2D; // [N, d] → [N, d]

export class Model {
  readonly config: ModelConfig;
  readonly layers: readonly Layer[];
  /** [V, d] */
  readonly tokenEmbedding: tf.Tensor2D;
  private readonly positionEmbedding: tf.Tensor2D; // [T, d]
  private readonly blocks: readonly Sublayer[];
  private readonly finalNorm: Projection;
  private readonly head: tf.Tensor2D; // [V, d]
  private readonly mask: tf.Tensor2D; // [T, T]

  constructor(config: ModelConfig, seed: number) {
    const { layers, dim, context, vocabulary, tie } = config;
    const layer = (name: string, at: number) => new Layer(name, at, seed);
    const embedding = layer('embedding', 0);
    const blocks = Array.from({ length: layers }, (_, at) => layer(`block ${at + 1}`, at + 1));
    const output = layer('head', layers + 1);

    this.config = config;
    this.layers = [embedding, ...blocks, output];
    this.mask = causalMask(context);
    this.tokenEmbedding = embedding.matrix('wte', vocabulary, dim);
    this.positionEmbedding = embedding.matrix('wpe', context, dim);
    this.blocks = blocks.map((each) => block(each, config, this.mask));
    this.finalNorm = norm(output, 'ln_f', dim);
    this.head = tie ? this.tokenEmbedding : output.matrix('lm_head', vocabulary, dim);
  }

  get parameterCount(): number {
    return this.layers.reduce((count, { size }) => count + size, 0);
  }

  /** Everything that training changes, for a checkpoint. */
  get variables(): NamedVariable[] {
    return this.layers.flatMap((layer) => layer.variables);
  }

  /** Mean cross-entropy of a batch in nats. */
  loss({ inputs, targets }: Batch): tf.Scalar {
    return crossEntropy(project(this.hidden(inputs), this.head), tf.tensor1d(targets, 'int32')); // logits [N, V]
  }

  /**
   * Measures the activations of a batch in a forward pass of its own. `layerOutVar`: for the output of each layer (the
   * embeddings, each block, the final norm), the population variance over the d entries of a position, averaged over the
   * positions; `attentionLogitMax`: the max attention score before the softmax, over blocks, heads and positions.
   */
  async observe({ inputs }: Batch): Promise<Activations> {
    const [variances, largest] = tf.tidy(() => {
      const outputs: tf.Scalar[] = [];
      const maxima: tf.Scalar[] = [];
      this.hidden(inputs, {
        output: (x) => outputs.push(tf.mean(tf.moments(x, -1).variance)),
        scores: (q, k, mask) => maxima.push(tf.max(attentionScores(q, k, mask))),
      });
      return [tf.stack(outputs), tf.max(tf.stack(maxima))];
    });
    const [layerOutVar, [attentionLogitMax]] = await Promise.all([variances.data(), largest.data()]);
    tf.dispose([variances, largest]);
    return { layerOutVar: Array.from(layerOutVar), attentionLogitMax: attentionLogitMax as number };
  }

  /** Updates the spectral norms of `sigma-reparam`; once after each step. */
  updateSpectralNorms(): void {
    for (const layer of this.layers) for (const norm of layer.spectralNorms.values()) norm.iterate();
  }

  dispose(): void {
    this.mask.dispose();
    for (const layer of this.layers) layer.dispose();
  }

  /** The hidden states that the head reads. inputs [B · T] → [N, d] */
  private hidden(inputs: Int32Array, observer?: Observer): tf.Tensor2D {
    const { context, dim } = this.config;
    const tokens = embed(this.tokenEmbedding, tf.tensor1d(inputs, 'int32')); // [N, d]
    const placed = tf.add(tf.reshape(tokens, [-1, context, dim]), this.positionEmbedding); // [B, T, d]
    let x = tf.reshape(placed, [-1, dim]) as tf.Tensor2D; // [N, d]
    observer?.output(x);
    for (const block of this.blocks) {
      x = block(x, observer); // [N, d]
      observer?.output(x);
    }
    const final = this.finalNorm(x); // [N, d]
    observer?.output(final);
    return final;
  }
}

function block(layer: Layer, config: ModelConfig, mask: tf.Tensor2D): Sublayer {
  const norm1 = norm(layer, 'ln_1', config.dim);
  const attention = multiHeadAttention(layer, config, mask);
  const norm2 = norm(layer, 'ln_2', config.dim);
  const network = feedForward(layer, config);
  if (config.norm === 'pre') {
    return (x, observer) => {
      const attended = tf.add(x, attention(norm1(x), observer)) as tf.Tensor2D; // [N, d]
      return tf.add(attended, network(norm2(attended))); // [N, d]
    };
  }
  return (x, observer) => {
    const attended = norm1(tf.add(x, attention(x, observer))); // [N, d]
    return norm2(tf.add(attended, network(attended))); // [N, d]
  };
}

function norm(layer: Layer, name: string, dim: number): Projection {
  const gain = layer.vector(`${name}.gain`, dim, 1);
  const bias = layer.vector(`${name}.bias`, dim, 0);
  return (x) => layerNorm(x, gain, bias); // [N, d]
}

function multiHeadAttention(layer: Layer, config: ModelConfig, mask: tf.Tensor2D): Sublayer {
  const { dim, heads, context } = config;
  const size = dim / heads; // h
  const projection = queriesKeysValues(layer, config);
  const queryNorm = headNorm(layer, 'attn.q_norm', config);
  const keyNorm = headNorm(layer, 'attn.k_norm', config);
  const output = residualProjection(layer, 'attn.proj', dim, config);
  return (x, observer) => {
    const qkv = tf.reshape(projection(x), [-1, context, 3 * heads, size]); // [B, T, 3H, h]
    const parts = tf.split(tf.transpose(qkv, [0, 2, 1, 3]), 3, 1); // 3 × [B, H, T, h]
    const [q, k, v] = parts.map((part) => tf.reshape(part, [-1, context, size])) as [
      tf.Tensor3D,
      tf.Tensor3D,
      tf.Tensor3D,
    ];
    const [queries, keys] = [queryNorm(q), keyNorm(k)]; // [G, T, h]
    observer?.scores(queries, keys, mask);
    const mixed = tf.reshape(attend(queries, keys, v, mask), [-1, heads, context, size]); // [B, H, T, h]
    return output(tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [-1, dim])); // [N, d]
  };
}

function feedForward(layer: Layer, config: ModelConfig): Projection {
  const hidden = HIDDEN * config.dim;
  const expansion = affine(layer, 'mlp.fc', config.dim, hidden, config.attention);
  const output = residualProjection(layer, 'mlp.proj', hidden, config);
  return (x) => output(gelu(expansion(x))); // [N, d] → [N, 4d] → [N, d]
}

/**
 * The projection back onto the residual stream: 2L of them add up there, so each is initialized smaller by √(2L), as in
 * GPT-2. With `sigma-reparam` that has no effect, since it divides a matrix by its norm: all start with norm 1.
 */
function residualProjection(layer: Layer, name: string, from: number, config: ModelConfig): Projection {
  return affine(layer, name, from, config.dim, config.attention, INITIAL_STD / Math.sqrt(2 * config.layers)); // [N, d]
}
