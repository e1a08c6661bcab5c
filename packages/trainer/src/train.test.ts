import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chooseBackend } from './backend.ts';
import { ADAM, ATTENTIONS, type Attention, type TrainConfig } from './config.ts';
import { type Corpus, evaluationBatches, openCorpus, sampleBatch, type Tokens } from './data/corpus.ts';
import { lossAndGradients } from './gradients.ts';
import { Instruments, type Intervals } from './instruments.ts';
import { Model } from './model.ts';
import { createOptimizer } from './optimizer.ts';
import { randomStream, STREAMS } from './random.ts';
import { type Outcome, type TrainedStep, train } from './train.ts';

const TINY: TrainConfig = {
  model: {
    ...{ layers: 2, heads: 2, dim: 16, context: 16, vocabulary: 256, tie: true },
    ...{ attention: 'mha', rank: null, norm: 'pre' },
  },
  optimizer: { name: 'adamw', ...ADAM, weightDecay: 0.1 },
  schedule: {
    kind: 'cosine',
    peak: 0.01,
    floor: 0.1,
    warmup: 5,
    steps: 20,
    rampFrom: 0,
    rampFactor: 1,
    rampUntil: 20,
    restartEvery: 20,
  },
  steps: 20,
  batch: 2,
  microBatches: 3,
  clip: 1,
  seed: 1,
};
const EVERY_STEP: Intervals = { tev: 1, gradVar: 1, activations: 1, evaluation: 1 };

let corpus: Corpus;
beforeAll(async () => {
  await chooseBackend('wasm');
  corpus = await openCorpus({ paths: [], tokenizer: 'bytes', heldOut: 0.05, context: 64 });
});
afterAll(() => corpus[Symbol.asyncDispose]());

interface Trained {
  outcome: Outcome;
  steps: TrainedStep[];
}

interface RunOptions {
  signal?: AbortSignal;
  watch?: (step: TrainedStep) => void;
  intervals?: Intervals;
  /** Of the schedule's learning rate. */
  lrFactor?: number;
}

async function run(config: TrainConfig, options: RunOptions = {}, given: Model | null = null): Promise<Trained> {
  const model = given ?? new Model(config.model, config.seed);
  const { signal = new AbortController().signal, watch, intervals = EVERY_STEP, lrFactor = 1 } = options;
  const { batch, microBatches } = config;
  const optimizer = createOptimizer(model.layers, config.optimizer);
  const heldOut = await evaluationBatches(corpus.heldOut, 3, 2, config.model.context);
  const instruments = new Instruments({
    ...{ model, intervals, heldOut, batch, microBatches, steps: config.steps, now: () => 0 },
  });
  const steps: TrainedStep[] = [];
  const report = (step: TrainedStep) => {
    steps.push(step);
    watch?.(step);
  };
  const text = corpus.training;
  const outcome = await train({
    ...{ config, model, optimizer, instruments, text, signal, from: 0, report, now: () => 0 },
    beforeStep: async () => lrFactor,
  });
  optimizer.dispose();
  if (!given) model.dispose();
  return { outcome, steps };
}

function withAttention(attention: Attention): TrainConfig {
  return { ...TINY, model: { ...TINY.model, attention, rank: attention === 'mlra' ? 4 : null } };
}

const losses = ({ steps }: Trained) => steps.map(({ loss }) => loss);

describe.each<['wasm' | 'cpu', readonly Attention[], number]>([
  ['wasm', ATTENTIONS, 50],
  ['cpu', ['mha'], 10], // slow
])('on %s', (backend, attentions, steps) => {
  test.each(attentions)('%s: neither a step nor a run leaks a tensor', async (attention) => {
    await chooseBackend(backend);
    const before = tf.memory().numTensors;
    const counts: number[] = [];
    await run({ ...withAttention(attention), steps }, { watch: () => counts.push(tf.memory().numTensors) });
    expect(counts).toHaveLength(steps);
    expect(new Set(counts).size).toBe(1);
    expect(tf.memory().numTensors).toBe(before);
  });

  test.each(attentions)('%s: the same seed gives the same losses, another seed others', async (attention) => {
    await chooseBackend(backend);
    const config = { ...withAttention(attention), steps: Math.min(steps, 20) };
    const first = losses(await run(config));
    expect(first).toHaveLength(config.steps);
    expect(losses(await run(config))).toEqual(first);
    expect(losses(await run({ ...config, seed: 2, steps: 1 }))[0]).not.toBe(first[0]);
  });
});

test('sgd leaks no tensor', async () => {
  await chooseBackend('wasm');
  const before = tf.memory().numTensors;
  await run({ ...TINY, optimizer: { name: 'sgd', momentum: 0.9, weightDecay: 0.1 }, steps: 3 });
  expect(tf.memory().numTensors).toBe(before);
});

test('a fresh model knows nothing: its loss is that of a uniform guess', async () => {
  await chooseBackend('wasm');
  const { steps } = await run({ ...TINY, steps: 1 });
  expect(Math.abs((steps[0]?.loss ?? 0) - Math.log(256))).toBeLessThan(0.1);
});

test('the loss falls below what the frequencies of the bytes alone can give', async () => {
  await chooseBackend('wasm');
  const steps = 200;
  const config = { ...TINY, steps, schedule: { ...TINY.schedule, steps } };
  const tail = losses(await run(config)).slice(-20);
  expect(tail.reduce((sum, loss) => sum + loss / tail.length, 0)).toBeLessThan(await unigramEntropy(corpus.training));
});

/** In nats a byte. */
async function unigramEntropy(tokens: Tokens): Promise<number> {
  const counts = new Map<number, number>();
  for (const token of await tokens.read(0, tokens.length)) counts.set(token, (counts.get(token) ?? 0) + 1);
  const shares = [...counts.values()].map((count) => count / tokens.length);
  return shares.reduce((entropy, share) => entropy - share * Math.log(share), 0);
}

test('a step has every measurement, of each layer where it is by layer', async () => {
  await chooseBackend('wasm');
  const { outcome, steps } = await run({ ...TINY, steps: 3 });
  expect(outcome).toEqual({ status: 'finished', steps: 3 });
  expect(steps.map(({ step, tokens }) => [step, tokens])).toEqual([
    [0, 96],
    [1, 192],
    [2, 288],
  ]); // 3 · 2 · 16 a step
  for (const each of steps) {
    const { tevMean, tevStd, tevQuantiles, gradVar, layerGradVar, layerOutVar, gradNorm, lr, custom } = each;
    const { lrAhead, updateShare, updateRms, attentionLogitMax } = each;
    expect(tevQuantiles).toHaveLength(9);
    expect(layerGradVar).toHaveLength(4); // embedding, two blocks, head
    expect(layerOutVar).toHaveLength(4);
    const measured = [tevMean, tevStd, gradVar, gradNorm, updateShare, updateRms, attentionLogitMax];
    const scalars = [...measured, lr, lrAhead, custom?.evalLoss, custom?.memoryBytes];
    const arrays = [tevQuantiles, layerGradVar, layerOutVar].flatMap((values) => Array.from(values ?? []));
    for (const value of [...scalars, ...arrays]) expect(value).toBeGreaterThan(0);
    expect(custom?.evalPerplexity).toBeCloseTo(Math.exp(custom?.evalLoss ?? 0), 9);
  }
  // 16 entries from N(0, 0.02²): a population standard deviation a little below 0.02
  expect(Math.abs((steps[0]?.tevMean ?? 0) - 0.02)).toBeLessThan(0.002);
});

test('what is measured is what the gradients of the step’s micro-batches and the held-out batches give', async () => {
  await chooseBackend('wasm');
  const config = { ...TINY, steps: 1 };
  const [step] = (await run(config)).steps;
  const model = new Model(config.model, config.seed);
  const gradients: number[][] = [];
  for (let microBatch = 0; microBatch < 3; microBatch++) {
    const random = randomStream(config.seed, STREAMS.batches, 0, microBatch);
    const one = lossAndGradients(model, await sampleBatch(corpus.training, config.batch, 16, random));
    gradients.push(one.gradients.flatMap((gradient) => [...gradient.dataSync()]));
    tf.dispose([one.loss, one.gradients]);
  }
  const [a, b, c] = gradients as [number[], number[], number[]];
  const mean = a.map((value, at) => (value + (b[at] as number) + (c[at] as number)) / 3);
  const squares = (values: number[]) => values.reduce((sum, value) => sum + value ** 2, 0);
  const gradVar =
    gradients.reduce((sum, of) => sum + squares(of.map((value, at) => value - (mean[at] as number))), 0) / 2;
  const sumsTo = (value: number | null | undefined, expected: number) =>
    expect((value ?? 0) / expected).toBeCloseTo(1, 4);
  sumsTo(step?.gradNorm, Math.sqrt(squares(mean)));
  sumsTo(step?.gradVar, gradVar);
  sumsTo(step?.custom?.gradNoiseScale, (2 * gradVar) / (squares(mean) - gradVar / 3)); // 2 sequences a micro-batch
  let [losses, tokens] = [0, 0];
  for (const batch of await evaluationBatches(corpus.heldOut, 3, 1, 16)) {
    const loss = tf.tidy(() => model.loss(batch));
    losses += loss.dataSync()[0] as number;
    loss.dispose();
    tokens++;
  }
  expect(tokens).toBe(3); // of which the run had two in one batch and one in another
  sumsTo(step?.custom?.evalLoss, losses / tokens);
  model.dispose();
});

test('each instrument keeps to its own interval, evaluation comes at the last step too, and none changes the losses', async () => {
  await chooseBackend('wasm');
  const intervals = { tev: 2, gradVar: 3, activations: 0, evaluation: 4 };
  const sparse = await run({ ...TINY, steps: 6 }, { intervals });
  const at = (has: (step: TrainedStep) => unknown) =>
    sparse.steps.filter((step) => has(step) != null).map(({ step }) => step);
  expect(at(({ tevMean }) => tevMean)).toEqual([0, 2, 4]);
  expect(at(({ gradVar }) => gradVar)).toEqual([0, 3]);
  expect(at(({ layerOutVar }) => layerOutVar)).toEqual([]);
  expect(at(({ attentionLogitMax }) => attentionLogitMax)).toEqual([]);
  expect(at(({ custom }) => custom?.evalLoss)).toEqual([0, 4, 5]);
  expect(losses(sparse)).toEqual(losses(await run({ ...TINY, steps: 6 })));
});

test('a loss that is not finite is reported, and ends the run as failed', async () => {
  await chooseBackend('wasm');
  const { outcome, steps } = await run({ ...TINY, schedule: { ...TINY.schedule, peak: 1e30, warmup: 0 } });
  const last = steps.at(-1);
  expect(last?.loss).not.toSatisfy(Number.isFinite);
  expect(steps.slice(0, -1).every(({ loss }) => Number.isFinite(loss))).toBe(true);
  expect(steps.length).toBeLessThan(TINY.steps);
  expect(steps.map(({ updateShare }) => updateShare !== undefined)).toEqual(steps.map((step) => step !== last));
  expect(outcome).toEqual({ status: 'failed', reason: `loss is not finite at step ${last?.step}`, steps: last?.step });
});

test('an aborted signal ends the run after the current step, with the reason', async () => {
  await chooseBackend('wasm');
  const stop = new AbortController();
  const watch = ({ step }: TrainedStep) => {
    if (step === 4) stop.abort(new Error('too expensive'));
  };
  const { outcome, steps } = await run(TINY, { signal: stop.signal, watch });
  expect(outcome).toEqual({ status: 'stopped', reason: 'too expensive', steps: 5 });
  expect(steps.at(-1)?.step).toBe(4);
});

test('with sgd, the first update is the clipped gradient times the learning rate', async () => {
  await chooseBackend('wasm');
  const optimizer = { name: 'sgd', momentum: 0.9, weightDecay: 0 } as const;
  const schedule = { ...TINY.schedule, peak: 1, warmup: 0 };
  const moved = async (clip: number) => {
    const config = { ...TINY, clip, optimizer, schedule, steps: 1 };
    const [before, after] = [new Model(config.model, config.seed), new Model(config.model, config.seed)];
    const { steps } = await run(config, {}, after);
    const distance = tf.tidy(() =>
      before.variables.reduce(
        (sum, { variable }, at) =>
          sum +
          tf
            .sum(tf.squaredDifference(variable, after.variables[at]?.variable as tf.Variable))
            .dataSync<'float32'>()
            .reduce((total, value) => total + value, 0),
        0,
      ),
    );
    before.dispose();
    after.dispose();
    return { distance: Math.sqrt(distance), gradNorm: steps[0]?.gradNorm ?? 0 };
  };
  const free = await moved(0);
  expect(free.distance / free.gradNorm).toBeCloseTo(1, 3);
  expect((await moved(0.01)).distance).toBeCloseTo(0.01, 5);
});

test('a factor of the learning rate is a factor of the planned rate too', async () => {
  await chooseBackend('wasm');
  const { steps } = await run({ ...TINY, steps: 3 });
  const { steps: reduced } = await run({ ...TINY, steps: 3 }, { lrFactor: 0.25 });
  expect(reduced.map(({ lrAhead }) => lrAhead)).toEqual(steps.map(({ lrAhead }) => lrAhead * 0.25));
});

test('clipping bounds the update, and the reported norm is the one before it', async () => {
  await chooseBackend('wasm');
  const norms = async (clip: number) => (await run({ ...TINY, clip, steps: 1 })).steps.map(({ gradNorm }) => gradNorm);
  expect(await norms(1e-3)).toEqual(await norms(0));
});
