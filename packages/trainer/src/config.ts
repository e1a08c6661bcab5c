// This file is read by whoever wants to know the flags, and so must not load TensorFlow.js.

import type { ModelConfig } from './model.ts';
import type { OptimiserConfig } from './optimiser.ts';
import type { Schedule } from './schedule.ts';

/** All that decides what a run computes: the same config and text give the same losses on one backend. */
export interface TrainConfig {
  model: ModelConfig;
  optimiser: OptimiserConfig;
  schedule: Schedule;
  steps: number;
  /** Sequences in one micro-batch. */
  batch: number;
  /** K: their mean gradient makes one step, and the gradient variance is taken over them. */
  microBatches: number;
  /** The largest global norm of the mean gradient; 0 clips nothing. */
  clip: number;
  seed: number;
}

type Size = Pick<ModelConfig, 'layers' | 'heads' | 'dim' | 'context'>;

/** Model sizes by name; the GPT-2 family is that of its paper's table 2, bytes for a vocabulary unless `--tokenizer` says else. */
export const SIZES = {
  nano: { layers: 3, heads: 4, dim: 48, context: 32 }, // 0.1 M parameters: many steps a second on one core
  micro: { layers: 4, heads: 4, dim: 64, context: 64 },
  mini: { layers: 6, heads: 6, dim: 192, context: 128 },
  gpt2: { layers: 12, heads: 12, dim: 768, context: 1024 },
  'gpt2-medium': { layers: 24, heads: 16, dim: 1024, context: 1024 },
  'gpt2-large': { layers: 36, heads: 20, dim: 1280, context: 1024 },
  'gpt2-xl': { layers: 48, heads: 25, dim: 1600, context: 1024 },
} as const satisfies Record<string, Size>;

/** Compute backends, the fastest first. That is for models worth waiting for: `nano` is faster on wasm than on node. */
export const BACKENDS = ['node-gpu', 'node', 'webgpu', 'wasm', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

export const ATTENTIONS = ['mha', 'mlra', 'sigma-reparam', 'qk-norm'] as const;

/**
 * - `mha`: multi-head attention (arXiv 1706.03762), as in GPT-2.
 * - `mlra`: Multi-head Low-Rank Attention of Chung et al. 2024 (arXiv 2409.07787): the query, key and value projections
 *   are each a product of two matrices of rank r. Not the later method of the same name that shrinks the key-value
 *   cache (arXiv 2603.02188).
 * - `sigma-reparam`: σReparam (Zhai et al. 2023, arXiv 2303.06296): every matrix of a block, the network's too, is
 *   divided by its spectral norm and multiplied by a learned scale.
 * - `qk-norm`: queries and keys are normalised over a head's entries (arXiv 2010.04245), by their root mean square and
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
export type Norm = (typeof NORMS)[number];

export const OPTIMISERS = ['adamw', 'sgd'] as const satisfies OptimiserConfig['name'][];

/** What no flag changes: the constants of GPT-3 (arXiv 2005.14165, appendix B). */
export const ADAM = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8 } as const;
