import * as tf from '@tensorflow/tfjs';
import type { Attention } from './config.ts';
import { INITIAL_STD, type Layer } from './layer.ts';
import { linear, product, rmsNorm, spectrallyScaled } from './ops.ts';

// The attention variants differ in how queries, keys and values are computed from the residual stream.
// Shapes: N = B · T positions, d model dimension, H heads, h = d / H, G = B · H groups, r rank.

/** A map of the residual stream's positions. x [N, d] → [N, d'] */
export type Projection = (x: tf.Tensor2D) => tf.Tensor2D;

/** Applied to queries or keys. [G, T, h] → [G, T, h] */
export type HeadNorm = (x: tf.Tensor3D) => tf.Tensor3D;

interface AttentionConfig {
  attention: Attention;
  /** r, only of `mlra`. */
  rank: number | null;
  dim: number;
  heads: number;
}

/** Queries, keys and values side by side. x [N, d] → [N, 3d] */
export function queriesKeysValues(layer: Layer, config: AttentionConfig): Projection {
  const { attention, dim, rank } = config;
  if (attention !== 'mlra' || rank === null) return affine(layer, 'attn.qkv', dim, 3 * dim, attention);
  const parts = ['q', 'k', 'v'].map((part) => lowRank(layer, `attn.${part}`, dim, rank));
  const bias = layer.vector('attn.qkv.bias', 3 * dim, 0);
  return (x) =>
    tf.add(
      tf.concat(
        parts.map((part) => part(x)),
        1,
      ),
      bias,
    );
}

/**
 * x · A · B: [N, d] → [N, r] → [N, d]. The entries of both factors are drawn from N(0, 0.02 / √r), so that those of
 * their product, sums of r products, have GPT-2's standard deviation 0.02, and neither factor learns faster.
 */
function lowRank(layer: Layer, name: string, dim: number, rank: number): Projection {
  const std = Math.sqrt(INITIAL_STD / Math.sqrt(rank));
  const down = layer.matrix(`${name}.down`, dim, rank, std);
  const up = layer.matrix(`${name}.up`, rank, dim, std);
  return (x) => product(product(x, down), up);
}

/** x · W + b: [N, from] → [N, to]; with `sigma-reparam`, W is divided by its spectral norm. */
export function affine(
  layer: Layer,
  name: string,
  from: number,
  to: number,
  attention: Attention,
  std = INITIAL_STD,
): Projection {
  const weight = layer.matrix(`${name}.weight`, from, to, std);
  const bias = layer.vector(`${name}.bias`, to, 0);
  if (attention !== 'sigma-reparam') return (x) => linear(x, weight, bias);
  const scale = layer.vector(`${name}.scale`, 1, 1); // γ, initialized to 1 as in the paper
  const { u, v } = layer.spectralNorm(`${name}.weight`, weight);
  return (x) => linear(x, spectrallyScaled(weight, scale, u, v), bias);
}

/** The norm of queries, or of keys: identity but for `qk-norm`. */
export function headNorm(layer: Layer, name: string, { attention, dim, heads }: AttentionConfig): HeadNorm {
  if (attention !== 'qk-norm') return (x) => x;
  const gain = layer.vector(`${name}.gain`, dim / heads, 1);
  return (x) => {
    const rows = tf.reshape(x, [-1, dim / heads]) as tf.Tensor2D; // [G · T, h]
    return tf.reshape(rmsNorm(rows, gain), x.shape); // [G, T, h]
  };
}
