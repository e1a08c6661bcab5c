import type { ModelConfig } from '../config.ts';

/** What every backend, and PyTorch, computes: steps of one GPT-2 on batches of one size. */
export interface Workload {
  layers: number; // L
  heads: number;
  dim: number; // d
  context: number; // T
  vocabulary: number; // V
  /** Sequences in a step. */
  batch: number;
  /** Steps to time, at most. */
  steps: number;
}

/** Micro-batches that the gradient variance is taken over, in a step of as many tokens as the timed ones. */
export const MICRO_BATCHES = 4;

/** Seconds that the steps of one backend may take; two are timed in any case. */
export const TIME_FOR_STEPS = 20;

export function modelConfig({ layers, heads, dim, context, vocabulary }: Workload): ModelConfig {
  return { layers, heads, dim, context, vocabulary, tie: false, attention: 'mha', rank: null, norm: 'pre' };
}

export function tokensPerStep({ batch, context }: Workload): number {
  return batch * context;
}

/**
 * Floating-point operations of a step's matrix products (Chowdhery et al., arXiv 2204.02311, appendix B): 6 for each token
 * and entry of a matrix, and attention's. Scores that are masked count too.
 */
export function flopPerStep(workload: Workload): number {
  const { layers, dim, context, vocabulary } = workload;
  const entries = 12 * layers * dim ** 2 + vocabulary * dim;
  return (6 * entries + 12 * layers * context * dim) * tokensPerStep(workload);
}

/** Of one step each, in milliseconds: the median over the steps timed. */
export interface StepTime {
  wallMs: number;
  /** All threads of the process together. */
  cpuMs: number;
  /** How many were timed. */
  steps: number;
}
