import { setImmediate } from 'node:timers/promises';
import { type GradientStatistics, GradientVariance, tokenEmbeddingVariability } from '@evenkeel/stability';
import * as tf from '@tensorflow/tfjs';
import type { TrainConfig } from './config.ts';
import { addedUp, clipFactor, type Gradients, lossAndGradients, scaled } from './gradients.ts';
import type { Model } from './model.ts';
import { AdamW } from './optimiser.ts';
import { randomStream, STREAMS } from './random.ts';
import { learningRate } from './schedule.ts';
import { sampleBatch, type Text } from './text.ts';

/** One step. Loss, TEV and gradient are all of the weights before the step's update. */
export interface TrainedStep extends GradientStatistics {
  step: number;
  loss: number;
  tevMean: number;
  tevStd: number;
  tevQuantiles: number[];
  lr: number;
  /** Seen since the start of the run. */
  tokens: number;
}

export interface Outcome {
  status: 'finished' | 'stopped' | 'failed';
  reason?: string;
}

/**
 * Trains a model and reports every step; one whose loss is not finite is reported too, and is the last.
 * Aborting `signal` ends the training after the step in hand, with the signal's reason.
 */
export async function train(
  config: TrainConfig,
  model: Model,
  text: Text,
  signal: AbortSignal,
  report: (step: TrainedStep) => void,
): Promise<Outcome> {
  const { steps, microBatches, batch, schedule, clip } = config;
  const tokensPerStep = microBatches * batch * model.config.context;
  const optimiser = new AdamW(model.layers, config.optimiser);
  const variance = new GradientVariance(model.layers.map(({ size }, layer) => ({ layer, size })));
  try {
    for (let step = 0; step < steps; step++) {
      if (signal.aborted) return { status: 'stopped', reason: reasonOf(signal) };
      const lr = learningRate(schedule, step);
      const { loss, sums } = await accumulate(config, model, text, step, variance);
      const statistics = variance.result();
      const tev = await embeddingVariability(model);
      report({ step, loss, lr, tokens: (step + 1) * tokensPerStep, ...statistics, ...tev });
      const gradients = scaled(sums, clipFactor(statistics.gradNorm ?? 0, clip) / microBatches);
      optimiser.update(gradients, lr);
      tf.dispose(gradients);
      if (!Number.isFinite(loss)) return { status: 'failed', reason: `loss is not finite at step ${step}` };
      await setImmediate(); // the computation blocks: sockets and signals have their turn here
    }
    return { status: 'finished' };
  } finally {
    optimiser.dispose();
  }
}

/** The mean loss and the summed gradients of a step's micro-batches, each of which goes through `variance`. */
async function accumulate(
  { microBatches, batch, seed }: TrainConfig,
  model: Model,
  text: Text,
  step: number,
  variance: GradientVariance,
): Promise<{ loss: number; sums: Gradients }> {
  variance.reset();
  let sums: Gradients = [];
  let lossSum = 0;
  for (let microBatch = 0; microBatch < microBatches; microBatch++) {
    const random = randomStream(seed, STREAMS.batches, step, microBatch);
    const { loss, gradients } = lossAndGradients(model, sampleBatch(text, batch, model.config.context, random));
    lossSum += (await loss.data<'float32'>())[0] as number;
    loss.dispose();
    variance.add(await Promise.all(gradients.map((gradient) => gradient.data<'float32'>())));
    sums = microBatch === 0 ? gradients : addedUp(sums, gradients);
  }
  return { loss: lossSum / microBatches, sums };
}

async function embeddingVariability(model: Model): Promise<Pick<TrainedStep, 'tevMean' | 'tevStd' | 'tevQuantiles'>> {
  const embedding = await model.tokenEmbedding.data<'float32'>();
  const { mean, std, quantiles } = tokenEmbeddingVariability(embedding, model.config.vocabulary, model.config.dim);
  return { tevMean: mean, tevStd: std, tevQuantiles: quantiles };
}

function reasonOf({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : String(reason);
}
