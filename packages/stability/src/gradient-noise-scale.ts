/** Statistics of one step's micro-batches, as in a step event, and how many sequences they held. */
export interface MicroBatches {
  /** Trace of the covariance of the micro-batch gradient, in nats². */
  gradVar: number;
  /** L2 norm of the mean gradient ‖ḡ‖, in nats. */
  gradNorm: number;
  /** K: micro-batches in the step. */
  count: number;
  /** b: sequences in one micro-batch. */
  size: number;
}

/**
 * The simple noise scale tr(Σ) / |G|², in sequences (McCandlish et al., arXiv 1812.06162, section 2.2 and appendix A.1).
 * tr(Σ) of one sequence is `b · gradVar`; |G|² without bias is `‖ḡ‖² − gradVar / K`. Null where that is not positive:
 * noise then dominates the gradient, and one step is not enough to estimate the scale.
 */
export function gradientNoiseScale({ gradVar, gradNorm, count, size }: MicroBatches): number | null {
  const signal = gradNorm ** 2 - gradVar / count;
  return signal > 0 && Number.isFinite(signal) ? (size * gradVar) / signal : null;
}
