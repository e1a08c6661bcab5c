/** One parameter tensor: how many numbers it holds, and the layer (from 0) that it counts for. */
export interface ParameterTensor {
  layer: number;
  size: number;
}

/** Statistics of the micro-batches of one step. Null where there were too few of them. */
export interface GradientStatistics {
  /** In nats²: trace of the covariance of the micro-batch gradient, estimated without bias (K − 1); needs K ≥ 2. */
  gradVar: number | null;
  /** The part of `gradVar` that each layer holds; they sum to it. */
  layerGradVar: number[] | null; // [layers]
  /** In nats: L2 norm of the mean gradient, over all parameters; needs K ≥ 1. */
  gradNorm: number | null;
}

/**
 * The variance of a step's gradient over its K micro-batches, in one pass and one float64 a parameter: Welford's
 * method (Technometrics 4(3), 1962), with the squared deviations summed over a layer as they come, for only the trace
 * of the covariance is wanted. Gradients that are not finite make the results so.
 */
export class GradientVariance {
  private readonly tensors: readonly ParameterTensor[];
  private readonly means: readonly Float64Array[];
  /** Σ over the layer's parameters of Σₖ (gₖ − ḡ)² */
  private readonly squares: Float64Array; // [layers]
  private count = 0;

  constructor(tensors: readonly ParameterTensor[]) {
    this.tensors = tensors;
    this.means = tensors.map(({ size }) => new Float64Array(size));
    this.squares = new Float64Array(tensors.reduce((layers, { layer }) => Math.max(layers, layer + 1), 0));
  }

  /** The mean gradient of the micro-batches so far, by tensor: a live view, zero before the first. */
  get mean(): readonly Float64Array[] {
    return this.means;
  }

  /**
   * Takes the gradient of one micro-batch: one flat array a tensor, in the constructor's order.
   * @throws RangeError where a size is not the constructor's; then nothing of the gradient is taken.
   */
  add(gradient: readonly Float32Array[]): void {
    this.checkSizes(gradient);
    this.count++;
    gradient.forEach((values, at) => {
      const { layer } = this.tensors[at] as ParameterTensor;
      const deviation = absorb(this.means[at] as Float64Array, values, this.count);
      this.squares[layer] = (this.squares[layer] as number) + deviation;
    });
  }

  result(): GradientStatistics {
    const layerGradVar = this.count < 2 ? null : Array.from(this.squares, (squares) => squares / (this.count - 1));
    return {
      gradVar: layerGradVar?.reduce((sum, variance) => sum + variance, 0) ?? null,
      layerGradVar,
      gradNorm: this.count < 1 ? null : norm(this.means),
    };
  }

  /** Forgets the step's micro-batches; the next step's can follow. */
  reset(): void {
    this.count = 0;
    this.squares.fill(0);
    for (const mean of this.means) mean.fill(0);
  }

  private checkSizes(gradient: readonly Float32Array[]): void {
    const fits = gradient.length === this.tensors.length;
    if (fits && gradient.every((values, at) => values.length === this.tensors[at]?.size)) return;
    throw new RangeError('the gradient is not of the tensors that were announced');
  }
}

/** Moves the mean of `count − 1` gradients on to `count`; returns what the squared deviations grow by. */
function absorb(mean: Float64Array, values: Float32Array, count: number): number {
  let grown = 0;
  for (let at = 0; at < values.length; at++) {
    const value = values[at] as number;
    const before = mean[at] as number;
    const after = before + (value - before) / count;
    mean[at] = after;
    grown += (value - before) * (value - after);
  }
  return grown;
}

function norm(tensors: readonly Float64Array[]): number {
  let squares = 0;
  for (const values of tensors) for (const value of values) squares += value * value;
  return Math.sqrt(squares);
}
