import { performance } from 'node:perf_hooks';
import { GradientVariance, median, tokenEmbeddingVariability } from '@evenkeel/stability';
import * as tf from '@tensorflow/tfjs';
import { chooseBackend } from '../backend.ts';
import { ADAM, type BackendName } from '../config.ts';
import { type Gradients, lossAndGradients } from '../gradients.ts';
import { type Batch, Model } from '../model.ts';
import { createOptimizer } from '../optimizer.ts';
import { randomStream } from '../random.ts';
import { MICRO_BATCHES, modelConfig, type StepTime, TIME_FOR_STEPS, tokensPerStep, type Workload } from './workload.ts';

/** One computation of TEV is below the resolution of the clock on some machines. */
const TEV_REPETITIONS = 20;

export interface BackendTimes extends StepTime {
  backend: BackendName;
  /** The reason for the backend, see {@link chooseBackend}. */
  reason: string;
  parameters: number;
  /** Milliseconds of CPU, once a step. */
  tevCpuMs: number;
  gradientVarianceCpuMs: number;
}

/**
 * Times training steps on one backend, in this process.
 * @throws UsageError where the backend does not work.
 */
export async function measure(wanted: BackendName, workload: Workload): Promise<BackendTimes> {
  const { name, reason } = await chooseBackend(wanted);
  const model = new Model(modelConfig(workload), 1);
  const optimizer = createOptimizer(model.layers, { name: 'adamw', ...ADAM, weightDecay: 0.1 });
  const batch = randomBatch(workload);
  const watch = new Stopwatch();
  const began = performance.now();
  // the first step includes the start of the backend, and is not counted
  for (let step = 0; step <= workload.steps; step++) {
    await watch.time(async () => {
      const { loss, gradients } = lossAndGradients(model, batch);
      await loss.data();
      await optimizer.update(gradients, 1e-3, step);
      await settled(model);
      tf.dispose([loss, gradients]);
    });
    if (step >= 2 && performance.now() - began > TIME_FOR_STEPS * 1000) break;
  }
  const { gradients } = lossAndGradients(model, batch);
  return {
    backend: name,
    reason,
    parameters: model.parameterCount,
    ...watch.medians(1),
    tevCpuMs: await tevCost(model),
    gradientVarianceCpuMs: await gradientVarianceCost(model, gradients),
  };
}

/** Waits for a GPU, which computes asynchronously, until the weight that the update writes last can be read. */
async function settled({ layers }: Model): Promise<void> {
  await layers.at(-1)?.parameters.at(-1)?.variable.data();
}

/** Uniformly random tokens: their values do not change the time of a step. */
function randomBatch(workload: Workload): Batch {
  const random = randomStream(1);
  const tokens = () =>
    Int32Array.from({ length: tokensPerStep(workload) }, () => Math.floor(random() * workload.vocabulary));
  return { inputs: tokens(), targets: tokens() };
}

async function tevCost({ tokenEmbedding, config }: Model): Promise<number> {
  const watch = new Stopwatch();
  for (let time = 0; time < TEV_REPETITIONS; time++) {
    await watch.time(async () => {
      tokenEmbeddingVariability(await tokenEmbedding.data<'float32'>(), config.vocabulary, config.dim);
    });
  }
  return watch.medians(1).cpuMs;
}

async function gradientVarianceCost({ layers }: Model, gradients: Gradients): Promise<number> {
  const variance = new GradientVariance(layers.map(({ size }, layer) => ({ layer, size })));
  const watch = new Stopwatch();
  for (let time = 0; time < 3; time++) {
    await watch.time(async () => {
      variance.reset();
      for (let microBatch = 0; microBatch < MICRO_BATCHES; microBatch++)
        variance.add(await Promise.all(gradients.map((gradient) => gradient.data<'float32'>())));
      variance.result();
    });
  }
  return watch.medians(1).cpuMs;
}

class Stopwatch {
  private readonly wallMs: number[] = [];
  private readonly cpuMs: number[] = [];

  async time(work: () => Promise<void>): Promise<void> {
    const [wall, cpu] = [performance.now(), process.cpuUsage()];
    await work();
    const { user, system } = process.cpuUsage(cpu);
    this.wallMs.push(performance.now() - wall);
    this.cpuMs.push((user + system) / 1000);
  }

  /** Of all but the first few. */
  medians(skipped: number): StepTime {
    const [wallMs, cpuMs] = [this.wallMs.slice(skipped), this.cpuMs.slice(skipped)];
    return { wallMs: median(wallMs), cpuMs: median(cpuMs), steps: wallMs.length };
  }
}
