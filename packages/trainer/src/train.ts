import { setImmediate } from 'node:timers/promises';
import type { StepInput } from '@evenkeel/emit';
import * as tf from '@tensorflow/tfjs';
import type { TrainConfig } from './config.ts';
import { sampleBatch, type Tokens } from './data/corpus.ts';
import { clipFactor, type Gradients, globalNorm, lossAndGradients, scaled, summed } from './gradients.ts';
import type { Instruments } from './instruments.ts';
import type { Batch, Model } from './model.ts';
import type { Optimizer } from './optimizer.ts';
import { randomStream, STREAMS } from './random.ts';
import { learningRate, learningRateAhead } from './schedule.ts';

/** One step. Everything is measured on the weights before the step's update, but for what the update did to them. */
export interface TrainedStep extends StepInput {
  loss: number;
  gradNorm: number;
  lr: number;
  lrAhead: number;
  /** Processed since the start of the run. */
  tokens: number;
}

export interface Outcome {
  status: 'finished' | 'stopped' | 'failed';
  reason?: string;
  /** Updates since the start of the run. */
  steps: number;
}

export interface Training {
  config: TrainConfig;
  model: Model;
  optimizer: Optimizer;
  instruments: Instruments;
  text: Tokens;
  /** Ends the training after the current step, with its reason. */
  signal: AbortSignal;
  /** The first step: 0, or the next one of a checkpoint. */
  from: number;
  /** Called before each step with the number of steps done; resolves to the factor of the schedule's learning rate. */
  beforeStep?: (steps: number) => Promise<number>;
  /**
   * Called with every step after its update; one whose loss or gradient is not finite has none, is reported too, and is
   * the last.
   */
  report: (step: TrainedStep) => void;
  /** Called before each update, when loss and gradient are finite, with the number of steps done. */
  onFinite?: (steps: number) => Promise<void>;
  /** A clock in milliseconds. */
  now: () => number;
}

/** The training loop. What a step computes depends only on the config, the text, and the variables. */
export async function train(training: Training): Promise<Outcome> {
  const { config, model, optimizer, instruments, signal, from, beforeStep, report, onFinite, now } = training;
  const { steps, microBatches, schedule, clip } = config;
  const tokensPerStep = microBatches * config.batch * model.config.context;
  let before = now();
  for (let step = from; step < steps; step++) {
    const lrFactor = (await beforeStep?.(step)) ?? 1;
    if (signal.aborted) return { status: 'stopped', reason: reasonOf(signal), steps: step };
    const lr = lrFactor * learningRate(schedule, step);
    const { loss, sums, batch } = await accumulate(training, step);
    const gradNorm = (await globalNorm(sums)) / microBatches;
    const { custom, ...readings } = await instruments.read(step, gradNorm, batch);
    const after = now();
    const speed = {
      tokensPerSecond: (1000 * tokensPerStep) / (after - before),
      memoryBytes: process.memoryUsage.rss(),
    };
    before = after;
    const measured = {
      step,
      loss,
      gradNorm,
      lr,
      lrAhead: lrFactor * learningRateAhead(schedule, step),
      tokens: (step + 1) * tokensPerStep,
      ...readings,
      custom: { ...custom, ...speed },
    };
    const infinite = Object.entries({ loss, 'gradient norm': gradNorm }).find(([, value]) => !Number.isFinite(value));
    if (infinite) {
      tf.dispose(sums);
      report(measured);
      return { status: 'failed', reason: `${infinite[0]} is not finite at step ${step}`, steps: step };
    }
    await onFinite?.(step);
    const gradients = scaled(sums, clipFactor(gradNorm, clip) / microBatches);
    const update = await optimizer.update(gradients, lr, step);
    tf.dispose(gradients);
    model.updateSpectralNorms();
    report({ ...measured, ...update });
    await setImmediate(); // the computation blocks: sockets and signals are handled here
  }
  return { status: 'finished', steps };
}

/** The mean loss and the summed gradients of a step's micro-batches. Each gradient is passed to the instruments. */
async function accumulate(
  { config, model, text, instruments }: Training,
  step: number,
): Promise<{ loss: number; sums: Gradients; batch: Batch }> {
  let sums: Gradients = [];
  let lossSum = 0;
  let batch: Batch = { inputs: new Int32Array(), targets: new Int32Array() };
  for (let microBatch = 0; microBatch < config.microBatches; microBatch++) {
    const random = randomStream(config.seed, STREAMS.batches, step, microBatch);
    batch = await sampleBatch(text, config.batch, model.config.context, random);
    const { loss, gradients } = lossAndGradients(model, batch);
    lossSum += (await loss.data<'float32'>())[0] as number;
    loss.dispose();
    await instruments.addGradient(step, microBatch, gradients);
    sums = microBatch === 0 ? gradients : summed(sums, gradients);
  }
  return { loss: lossSum / config.microBatches, sums, batch };
}

function reasonOf({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : String(reason);
}
