import type { Schedule } from './schedule.ts';

// The configuration of a run as plain values. The flags are built from this file, so it must not load TensorFlow.js.

/** Everything that determines what a run computes: the same config and text give the same losses on one backend. */
export interface TrainConfig {
  model: ModelConfig;
  optimizer: OptimizerConfig;
  schedule: Schedule;
  steps: number;
  /** Sequences in one micro-batch. */
  batch: number;
  /** K: their mean gradient makes one step, and the gradient variance is taken over them. */
  microBatches: number;
  /** Max global norm of the mean gradient; 0 for no clipping. */
  clip: number;
  seed: number;
}

export interface ModelConfig {
  layers: number; // L
  heads: number; // H
  dim: number; // d
  context: number; // T
  vocabulary: number; // V
  /** Whether the head is the token embedding itself. */
  tie: boolean;
  attention: Attention;
  /** r of the query, key and value projections of `mlra`; null for the others. */
  rank: number | null;
  /**
   * Where a block normalizes: before its sublayers as GPT-2 does, or after them as the first transformer did, which is
   * known to diverge sooner (arXiv 2002.04745). The norm before the head stays in both.
   */
  norm: Norm;
}

export const ATTENTIONS = ['mha', 'mlra', 'sigma-reparam', 'qk-norm'] as const;

/**
 * - `mha`: multi-head attention (arXiv 1706.03762), as in GPT-2.
 * - `mlra`: Multi-head Low-Rank Attention of Chung et al. 2024 (arXiv 2409.07787): the query, key and value projections
 *   are each a product of two matrices of rank r. Not the later method of the same name that shrinks the key-value
 *   cache (arXiv 2603.02188).
 * - `sigma-reparam`: σReparam (Zhai et al. 2023, arXiv 2303.06296): every matrix of a block, the network's too, is
 *   divided by its spectral norm and multiplied by a learned scale.
 * - `qk-norm`: queries and keys are normalized over a head's entries (arXiv 2010.04245), by their root mean square and
 *   with a gain that the heads of a block share, as recent models do (arXiv 2501.00656).
 */
export type Attention = (typeof ATTENTIONS)[number];

/**
 * Half the model dimension: two factors of d × d/2 then hold as many parameters as one matrix of d × d, so that `mlra`
 * is compared with `mha` at equal size.
 */
export function defaultRank(dim: number): number {
  return Math.max(1, Math.floor(dim / 2));
}

export const NORMS = ['pre', 'post'] as const;
type Norm = (typeof NORMS)[number];

type Size = Pick<ModelConfig, 'layers' | 'heads' | 'dim' | 'context'>;

/** Model sizes by name; the GPT-2 family is that of table 2 in its paper. */
export const SIZES = {
  nano: { layers: 3, heads: 4, dim: 48, context: 32 }, // 0.1 M parameters: many steps a second on one core
  micro: { layers: 4, heads: 4, dim: 64, context: 64 },
  mini: { layers: 6, heads: 6, dim: 192, context: 128 },
  gpt2: { layers: 12, heads: 12, dim: 768, context: 1024 },
  'gpt2-medium': { layers: 24, heads: 16, dim: 1024, context: 1024 },
  'gpt2-large': { layers: 36, heads: 20, dim: 1280, context: 1024 },
  'gpt2-xl': { layers: 48, heads: 25, dim: 1600, context: 1024 },
} as const satisfies Record<string, Size>;

/** AdamW (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2). */
export interface AdamWConfig {
  name: 'adamw';
  beta1: number;
  beta2: number;
  /** TensorFlow.js defaults to 1e-7 and PyTorch to 1e-8; the difference shows in the loss. */
  epsilon: number;
  /** Decoupled from the gradient, multiplied by the learning rate. */
  weightDecay: number;
}

/** Stochastic gradient descent with momentum (Polyak's heavy ball), as PyTorch writes it: b ← μ b + g, w ← w − lr b. */
export interface SgdConfig {
  name: 'sgd';
  /** μ */
  momentum: number;
  /** Added to the gradient, times the weight. */
  weightDecay: number;
}

export type OptimizerConfig = AdamWConfig | SgdConfig;

export const OPTIMIZERS = ['adamw', 'sgd'] as const satisfies OptimizerConfig['name'][];

/** The constants that no flag changes, those of GPT-3 (arXiv 2005.14165, appendix B). */
export const ADAM = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8 } as const;

/** Compute backends, the fastest first. Below about 1,000 tokens per step, wasm is faster than node. */
export const BACKENDS = ['node-gpu', 'node', 'webgpu', 'wasm', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];
