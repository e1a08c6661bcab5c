import type { StepInput } from '@evenkeel/emit';
import { GradientVariance, gradientNoiseScale, tokenEmbeddingVariability } from '@evenkeel/stability';
import * as tf from '@tensorflow/tfjs';
import type { Gradients } from './gradients.ts';
import type { Batch, Model } from './model.ts';

/** Steps from one measurement to the next; 0 for none. */
export interface Intervals {
  /** tevMean, tevStd, tevQuantiles */
  tev: number;
  /** gradVar, layerGradVar, gradNoiseScale */
  gradVar: number;
  /** layerOutVar, attentionLogitMax: a forward pass of one micro-batch */
  activations: number;
  /** evalLoss, evalPerplexity: a forward pass of the held-out batches; at the last step too */
  evaluation: number;
}

export type Instrument = keyof Intervals;

/** The time that an instrument has taken so far. */
export interface Cost {
  measurements: number;
  milliseconds: number;
}

type Readings = Pick<
  StepInput,
  'tevMean' | 'tevStd' | 'tevQuantiles' | 'gradVar' | 'layerGradVar' | 'layerOutVar' | 'attentionLogitMax' | 'custom'
>;

interface InstrumentsOptions {
  intervals: Intervals;
  model: Model;
  /** Of the whole run. */
  steps: number;
  /** K */
  microBatches: number;
  /** Sequences in a micro-batch. */
  batch: number;
  heldOut: readonly Batch[];
  /** A clock in milliseconds. */
  now: () => number;
}

/** Measures a run while it trains, each quantity at its own interval, and what that costs. */
export class Instruments {
  readonly costs = new Map<Instrument, Cost>();
  private readonly options: InstrumentsOptions;
  private readonly variance: GradientVariance;
  private readonly began: number;

  constructor(options: InstrumentsOptions) {
    this.options = options;
    this.began = options.now();
    this.variance = new GradientVariance(options.model.layers.map(({ size }, layer) => ({ layer, size })));
  }

  /** Milliseconds since it was created. */
  get elapsed(): number {
    return this.options.now() - this.began;
  }

  /** Adds the gradient of one of the step's micro-batches. The caller disposes of it. */
  async addGradient(step: number, microBatch: number, gradients: Gradients): Promise<void> {
    if (!this.isDue('gradVar', step)) return;
    await this.measure('gradVar', microBatch === 0 ? 1 : 0, async () => {
      if (microBatch === 0) this.variance.reset();
      this.variance.add(await Promise.all(gradients.map((gradient) => gradient.data<'float32'>())));
    });
  }

  /** Measures what is due at a step, on the weights before its update. `batch` is one of the step's micro-batches. */
  async read(step: number, gradNorm: number, batch: Batch): Promise<Readings> {
    const tev = await this.ifDue('tev', step, () => this.readTev());
    const gradVar = await this.ifDue('gradVar', step, async () => this.readGradVar(gradNorm), 0);
    const activations = await this.ifDue('activations', step, () => this.options.model.observe(batch));
    const evaluation = await this.ifDue('evaluation', step, () => this.evaluate());
    return {
      ...tev,
      ...gradVar?.statistics,
      ...activations,
      custom: present({ ...evaluation, gradNoiseScale: gradVar?.noiseScale }),
    };
  }

  private isDue(instrument: Instrument, step: number): boolean {
    const interval = this.options.intervals[instrument];
    const isLast = instrument === 'evaluation' && step === this.options.steps - 1;
    return interval > 0 && (step % interval === 0 || isLast);
  }

  private async ifDue<T>(instrument: Instrument, step: number, read: () => Promise<T>, count = 1): Promise<T | null> {
    return this.isDue(instrument, step) ? this.measure(instrument, count, read) : null;
  }

  private async measure<T>(instrument: Instrument, count: number, read: () => Promise<T>): Promise<T> {
    const cost = this.costs.get(instrument) ?? { measurements: 0, milliseconds: 0 };
    this.costs.set(instrument, cost);
    const began = this.options.now();
    const reading = await read();
    cost.milliseconds += this.options.now() - began;
    cost.measurements += count;
    return reading;
  }

  private async readTev() {
    const { tokenEmbedding, config } = this.options.model;
    const embedding = await tokenEmbedding.data<'float32'>();
    const { mean, std, quantiles } = tokenEmbeddingVariability(embedding, config.vocabulary, config.dim);
    return { tevMean: mean, tevStd: std, tevQuantiles: quantiles };
  }

  private readGradVar(gradNorm: number) {
    const { microBatches: count, batch: size } = this.options;
    const { gradVar, layerGradVar } = this.variance.result();
    const noiseScale = gradVar === null ? null : gradientNoiseScale({ gradVar, gradNorm, count, size });
    return { statistics: { gradVar, layerGradVar }, noiseScale };
  }

  private async evaluate() {
    const { heldOut, model } = this.options;
    let sum = 0;
    let tokens = 0;
    for (const batch of heldOut) {
      const loss = tf.tidy(() => model.loss(batch));
      sum += ((await loss.data<'float32'>())[0] as number) * batch.inputs.length;
      tokens += batch.inputs.length;
      loss.dispose();
    }
    const evalLoss = sum / tokens;
    return { evalLoss, evalPerplexity: Math.exp(evalLoss) };
  }
}

function present(scalars: Record<string, number | null | undefined>): Record<string, number> {
  const entries = Object.entries(scalars).filter((entry): entry is [string, number] => entry[1] != null);
  return Object.fromEntries(entries);
}
