import * as tf from '@tensorflow/tfjs';
import { attend, causalMask, crossEntropy, embed, gelu, layerNorm, linear, project } from './ops.ts';
import { normals, randomStream, STREAMS } from './random.ts';

// GPT-2 (Radford et al., 2019): a decoder with layer normalisation before each sublayer.
// Shapes: B sequences, T tokens each, N = B · T, d model dimension, H heads, h = d / H, L layers, V vocabulary.
// Activations stay [N, d]: a product of a [B, T, d] with a matrix is slow on the wasm backend.

export interface ModelConfig {
  layers: number; // L
  heads: number; // H
  dim: number; // d
  context: number; // T
  vocabulary: number; // V
  /** Whether the head is the token embedding itself. */
  tie: boolean;
}

/** Standard deviation of the initial weights, as in GPT-2. */
const INITIAL_STD = 0.02;
/** Dimension of the hidden layer of a block's network, in d. */
const HIDDEN = 4;

export interface Parameter {
  name: string;
  variable: tf.Variable;
  /** Weight decay is for matrices: gains and biases have none, as GPT-2's successors train. */
  decays: boolean;
}

/** A part of the model that is watched as one: the embeddings, a block, or the head with the final norm. */
export class Layer {
  readonly name: string;
  readonly parameters: Parameter[] = [];
  private readonly seed: number;
  private readonly at: number;

  constructor(name: string, at: number, seed: number) {
    this.name = name;
    this.at = at;
    this.seed = seed;
  }

  get size(): number {
    return this.parameters.reduce((size, { variable }) => size + variable.size, 0);
  }

  /** A matrix drawn from N(0, std²), from a stream of its own: what else the model holds does not change it. */
  matrix(name: string, rows: number, columns: number, std = INITIAL_STD): tf.Tensor2D {
    const random = randomStream(this.seed, STREAMS.weights, this.at, this.parameters.length);
    const values = tf.tensor2d(normals(rows * columns, std, random), [rows, columns]);
    return this.add(name, values, true);
  }

  vector(name: string, size: number, value: number): tf.Tensor1D {
    return this.add(name, tf.fill([size], value) as tf.Tensor1D, false);
  }

  private add<R extends tf.Rank>(name: string, initial: tf.Tensor<R>, decays: boolean): tf.Variable<R> {
    const variable = tf.variable(initial);
    initial.dispose();
    this.parameters.push({ name, variable: variable as tf.Variable, decays });
    return variable;
  }
}

/** Sequences to learn from: each target is the token that follows its input. Both [B, T], flattened. */
export interface Batch {
  inputs: Int32Array;
  targets: Int32Array;
}

/** A part of a block. x [N, d] → [N, d] */
type Sublayer = (x: tf.Tensor2D) => tf.Tensor2D;

export class Model {
  readonly config: ModelConfig;
  readonly layers: readonly Layer[];
  /** [V, d] */
  readonly tokenEmbedding: tf.Tensor2D;
  private readonly positionEmbedding: tf.Tensor2D; // [T, d]
  private readonly blocks: readonly Sublayer[];
  private readonly finalNorm: Sublayer;
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

  /** Mean cross-entropy of a batch in nats. */
  loss({ inputs, targets }: Batch): tf.Scalar {
    return crossEntropy(this.logits(inputs), tf.tensor1d(targets, 'int32'));
  }

  private logits(inputs: Int32Array): tf.Tensor2D {
    const { context, dim } = this.config;
    const tokens = embed(this.tokenEmbedding, tf.tensor1d(inputs, 'int32')); // [N, d]
    const placed = tf.add(tf.reshape(tokens, [-1, context, dim]), this.positionEmbedding); // [B, T, d]
    let x = tf.reshape(placed, [-1, dim]) as tf.Tensor2D; // [N, d]
    for (const block of this.blocks) x = block(x); // [N, d]
    return project(this.finalNorm(x), this.head); // [N, V]
  }

  dispose(): void {
    this.mask.dispose();
    for (const { variable } of this.layers.flatMap(({ parameters }) => parameters)) variable.dispose();
  }
}

function block(layer: Layer, config: ModelConfig, mask: tf.Tensor2D): Sublayer {
  const norm1 = norm(layer, 'ln_1', config.dim);
  const attention = multiHeadAttention(layer, config, mask);
  const norm2 = norm(layer, 'ln_2', config.dim);
  const network = feedForward(layer, config);
  return (x) => {
    const attended = tf.add(x, attention(norm1(x))) as tf.Tensor2D; // [N, d]
    return tf.add(attended, network(norm2(attended))); // [N, d]
  };
}

function norm(layer: Layer, name: string, dim: number): Sublayer {
  const gain = layer.vector(`${name}.gain`, dim, 1);
  const bias = layer.vector(`${name}.bias`, dim, 0);
  return (x) => layerNorm(x, gain, bias); // [N, d]
}

function multiHeadAttention(layer: Layer, config: ModelConfig, mask: tf.Tensor2D): Sublayer {
  const { dim, heads, context } = config;
  const size = dim / heads; // h
  const weight = layer.matrix('attn.qkv.weight', dim, 3 * dim);
  const bias = layer.vector('attn.qkv.bias', 3 * dim, 0);
  const output = residualProjection(layer, 'attn.proj', dim, config);
  return (x) => {
    const qkv = tf.reshape(linear(x, weight, bias), [-1, context, 3 * heads, size]); // [B, T, 3H, h]
    const parts = tf.split(tf.transpose(qkv, [0, 2, 1, 3]), 3, 1); // 3 × [B, H, T, h]
    const [q, k, v] = parts.map((part) => tf.reshape(part, [-1, context, size])) as [
      tf.Tensor3D,
      tf.Tensor3D,
      tf.Tensor3D,
    ];
    const mixed = tf.reshape(attend(q, k, v, mask), [-1, heads, context, size]); // [B, H, T, h]
    return output(tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [-1, dim])); // [N, d]
  };
}

function feedForward(layer: Layer, config: ModelConfig): Sublayer {
  const hidden = HIDDEN * config.dim;
  const weight = layer.matrix('mlp.fc.weight', config.dim, hidden);
  const bias = layer.vector('mlp.fc.bias', hidden, 0);
  const output = residualProjection(layer, 'mlp.proj', hidden, config);
  return (x) => output(gelu(linear(x, weight, bias))); // [N, d] → [N, 4d] → [N, d]
}

/** The way back onto the residual stream: 2L of them add up there, so each starts smaller by √(2L), as in GPT-2. */
function residualProjection(layer: Layer, name: string, from: number, { dim, layers }: ModelConfig): Sublayer {
  const weight = layer.matrix(`${name}.weight`, from, dim, INITIAL_STD / Math.sqrt(2 * layers));
  const bias = layer.vector(`${name}.bias`, dim, 0);
  return (x) => linear(x, weight, bias); // [N, d]
}
