/** The values of a step that rules judge by; a protocol step event is one. TEV alone is enough. */
export interface Signals {
  step: number;
  /** When the step ended, in milliseconds since 1970. */
  time?: number | null | undefined;
  /** In nats. */
  loss?: number | null | undefined;
  /** μ_TEV and σ_TEV, without unit; see `tokenEmbeddingVariability`. */
  tevMean?: number | null | undefined;
  tevStd?: number | null | undefined;
  /** Trace of the covariance of the micro-batch gradient, in nats²; see `GradientVariance`. */
  gradVar?: number | null | undefined;
  /** L2 norm of the mean gradient, in nats. */
  gradNorm?: number | null | undefined;
  /** The learning rate of the step. */
  lr?: number | null | undefined;
  /** The learning rate that the schedule plans for 20 steps later. */
  lrAhead?: number | null | undefined;
  /** The L2 norm of the update over that of the weights before it. */
  updateShare?: number | null | undefined;
  /** The greatest logit of attention, before its softmax. */
  attentionLogitMax?: number | null | undefined;
}

/** The name of a signal, as the protocol calls it. */
export type SignalName = Exclude<keyof Signals, 'step' | 'time'>;

/** Each is a scalar of the protocol's table of step fields, as the tests of the database check. */
const SIGNALS: Record<SignalName, null> = {
  loss: null,
  tevMean: null,
  tevStd: null,
  gradVar: null,
  gradNorm: null,
  lr: null,
  lrAhead: null,
  updateShare: null,
  attentionLogitMax: null,
};
/** All signals, in a fixed order. */
export const SIGNAL_NAMES = Object.keys(SIGNALS) as SignalName[];
