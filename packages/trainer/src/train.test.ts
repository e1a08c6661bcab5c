import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { chooseBackend } from './backend.ts';
import { ADAM, type TrainConfig } from './config.ts';
import { Model } from './model.ts';
import { loadText, type Text, VOCABULARY } from './text.ts';
import { type Outcome, type TrainedStep, train } from './train.ts';

const TINY: TrainConfig = {
  model: { layers: 2, heads: 2, dim: 16, context: 16, vocabulary: VOCABULARY, tie: true },
  optimiser: { ...ADAM, weightDecay: 0.1 },
  schedule: { kind: 'cosine', peak: 0.01, warmup: 5, steps: 20, rampFrom: 0, rampFactor: 1 },
  steps: 20,
  batch: 2,
  microBatches: 3,
  clip: 1,
  seed: 1,
};

let text: Text;
beforeAll(async () => {
  await chooseBackend('wasm');
  text = await loadText(undefined, 64);
});

interface Trained {
  outcome: Outcome;
  steps: TrainedStep[];
}

async function run(
  config: TrainConfig,
  signal = new AbortController().signal,
  watch = (_: TrainedStep) => {},
): Promise<Trained> {
  const model = new Model(config.model, config.seed);
  const steps: TrainedStep[] = [];
  const outcome = await train(config, model, text, signal, (step) => {
    steps.push(step);
    watch(step);
  });
  model.dispose();
  return { outcome, steps };
}

const losses = ({ steps }: Trained) => steps.map(({ loss }) => loss);

describe.each(['wasm', 'cpu'] as const)('on %s', (backend) => {
  test('no tensor is left over by a step, nor by a run', async () => {
    await chooseBackend(backend);
    const before = tf.memory().numTensors;
    const counts: number[] = [];
    await run(TINY, undefined, () => counts.push(tf.memory().numTensors));
    expect(counts).toHaveLength(20);
    expect(new Set(counts).size).toBe(1);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('the same seed gives the same losses, another seed others', async () => {
    await chooseBackend(backend);
    const config = { ...TINY, steps: 10 };
    const first = losses(await run(config));
    expect(first).toHaveLength(10);
    expect(losses(await run(config))).toEqual(first);
    expect(losses(await run({ ...config, seed: 2, steps: 1 }))[0]).not.toBe(first[0]);
  });
});

test('a fresh model knows nothing: its loss is that of a uniform guess', async () => {
  await chooseBackend('wasm');
  const { steps } = await run({ ...TINY, steps: 1 });
  expect(Math.abs((steps[0]?.loss ?? 0) - Math.log(VOCABULARY))).toBeLessThan(0.1);
});

test('the loss falls below what the frequencies of the bytes alone can give', async () => {
  await chooseBackend('wasm');
  const steps = 200;
  const config = { ...TINY, steps, schedule: { ...TINY.schedule, steps } };
  const tail = losses(await run(config)).slice(-20);
  expect(tail.reduce((sum, loss) => sum + loss / tail.length, 0)).toBeLessThan(unigramEntropy(text));
});

/** In nats a byte. */
function unigramEntropy({ tokens }: Text): number {
  const counts = new Map<number, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  const shares = [...counts.values()].map((count) => count / tokens.length);
  return shares.reduce((entropy, share) => entropy - share * Math.log(share), 0);
}

test('a step tells loss, TEV, gradient variance of every layer, gradient norm, learning rate and tokens', async () => {
  await chooseBackend('wasm');
  const { outcome, steps } = await run({ ...TINY, steps: 3 });
  expect(outcome).toEqual({ status: 'finished' });
  expect(steps.map(({ step, tokens }) => [step, tokens])).toEqual([
    [0, 96],
    [1, 192],
    [2, 288],
  ]); // 3 · 2 · 16 a step
  for (const { tevMean, tevStd, tevQuantiles, gradVar, layerGradVar, gradNorm, lr } of steps) {
    expect(tevQuantiles).toHaveLength(9);
    expect(layerGradVar).toHaveLength(4); // embedding, two blocks, head
    for (const value of [tevMean, tevStd, gradVar, gradNorm, lr, ...tevQuantiles, ...(layerGradVar ?? [])]) {
      expect(value).toBeGreaterThan(0);
    }
  }
  // 16 entries from N(0, 0.02²): a population standard deviation a little below 0.02
  expect(Math.abs((steps[0]?.tevMean ?? 0) - 0.02)).toBeLessThan(0.002);
});

test('a loss that is not finite is reported, and ends the run as failed', async () => {
  await chooseBackend('wasm');
  const { outcome, steps } = await run({ ...TINY, schedule: { ...TINY.schedule, peak: 1e30, warmup: 0 } });
  const last = steps.at(-1);
  expect(last?.loss).not.toSatisfy(Number.isFinite);
  expect(steps.slice(0, -1).every(({ loss }) => Number.isFinite(loss))).toBe(true);
  expect(steps.length).toBeLessThan(TINY.steps);
  expect(outcome).toEqual({ status: 'failed', reason: `loss is not finite at step ${last?.step}` });
});

test('an aborted signal ends the run after the step in hand, with the reason', async () => {
  await chooseBackend('wasm');
  const stop = new AbortController();
  const { outcome, steps } = await run(TINY, stop.signal, ({ step }) => {
    if (step === 4) stop.abort(new Error('too expensive'));
  });
  expect(outcome).toEqual({ status: 'stopped', reason: 'too expensive' });
  expect(steps.at(-1)?.step).toBe(4);
});

test('clipping bounds the update, and the norm that is told is that before it', async () => {
  await chooseBackend('wasm');
  const norms = async (clip: number) => (await run({ ...TINY, clip, steps: 1 })).steps.map(({ gradNorm }) => gradNorm);
  expect(await norms(1e-3)).toEqual(await norms(0));
});
