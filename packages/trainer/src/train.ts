import { setImmediate } from 'node:timers/promises';
import type { StepInput } from '@evenkeel/emit';
import * as tf from '@tensorflow/tfjs';
import type { TrainConfig } from './config.ts';
import { addedUp, clipFactor, type Gradients, globalNorm, lossAndGradients, scaled } from './gradients.ts';
import type { Instruments } from './instruments.ts';
import type { Batch, Model } from './model.ts';
import type { Optimiser } from './optimiser.ts';
import { randomStream, STREAMS } from './random.ts';
import { learningRate } from './schedule.ts';
import { sampleBatch, type Tokens } from './text.ts';

/** One step. All that is measured is of the weights before the step's update. */
export interface TrainedStep extends StepInput {
  loss: number;
  gradNorm: number;
  lr: number;
  /** Seen since the start of the run. */
  tokens: number;
}

export interface Outcome {
  status: 'finished' | 'stopped' | 'failed';
  reason?: string;
  /** Updates made since the start of the run. */
  steps: number;
}

export interface Training {
  config: TrainConfig;
  model: Model;
  optimiser: Optimiser;
  instruments: Instruments;
  text: Tokens;
  /** Ends the training after the step in hand, with its reason. */
  signal: AbortSignal;
  /** The first step to make: 0, or where a checkpoint left off. */
  from: number;
  /** Called before each step, with how many are made; resolves to what the schedule's learning rate is multiplied by. */
  steer?: (steps: number) => Promise<number>;
  /** Hears of every step; one whose loss or gradient is not finite is told too, and is the last. */
  report: (step: TrainedStep) => void;
  /** Hears, before each update, of how many steps the state has proved to be sound: its loss and gradient are finite. */
  onSound?: (steps: number) => Promise<void>;
  /** A clock in milliseconds. */
  now: () => number;
}

/** Trains a model step by step. What a step computes depends on the config, the text, and the variables alone. */
export async function train(training: Training): Promise<Outcome> {
  const { config, model, optimiser, instruments, signal, from, steer, report, onSound, now } = training;
  const { steps, microBatches, schedule, clip } = config;
  const tokensPerStep = microBatches * config.batch * model.config.context;
  let before = now();
  for (let step = from; step < steps; step++) {
    const lrFactor = (await steer?.(step)) ?? 1;
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
    report({
      step,
      loss,
      gradNorm,
      lr,
      tokens: (step + 1) * tokensPerStep,
      ...readings,
      custom: { ...custom, ...speed },
    });
    const broken = Object.entries({ loss, 'gradient norm': gradNorm }).find(([, value]) => !Number.isFinite(value));
    if (broken) {
      tf.dispose(sums);
      return { status: 'failed', reason: `${broken[0]} is not finite at step ${step}`, steps: step };
    }
    await onSound?.(step);
    const gradients = scaled(sums, clipFactor(gradNorm, clip) / microBatches);
    optimiser.update(gradients, lr, step);
    tf.dispose(gradients);
    model.followSpectralNorms();
    await setImmediate(); // the computation blocks: sockets and signals have their turn here
  }
  return { status: 'finished', steps };
}

/** The mean loss and the summed gradients of a step's micro-batches, each of which the instruments see. */
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
    sums = microBatch === 0 ? gradients : addedUp(sums, gradients);
  }
  return { loss: lossSum / config.microBatches, sums, batch };
}

function reasonOf({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : String(reason);
}
