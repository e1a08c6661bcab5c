import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resultOf } from './run-result.ts';
import { stateOf } from './run-state.ts';
import { type PlannedRun, parseStudy } from './study-file.ts';
import { readTrainedRun, type TrainedRun } from './trained-run.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-recording-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function recordingOf(...lines: (object | string)[]): Promise<TrainedRun> {
  const path = join(folder, 'run.jsonl');
  await writeFile(path, lines.map((line) => (typeof line === 'string' ? line : `${JSON.stringify(line)}\n`)).join(''));
  return (await readTrainedRun(path)) as TrainedRun;
}

const RUN = { type: 'run', id: 'a', config: {}, layers: ['embedding', 'block 1', 'head'] };
const FINISHED = { type: 'finish', status: 'finished', reason: null };
const [PLAN] = parseStudy(
  'project: p\nbase: { attention: mha, layers: 1, lr: 1e-3, seed: 1, steps: 20, warmup: 4 }\ngrid: [{}]',
).runs as [PlannedRun];

test('a later attempt owns every step from its first on', async () => {
  const step = (at: number, loss: number) => ({ type: 'step', step: at, loss });
  const torn = '{"type":"step","step":3,"lo';
  const { steps, finish } = await recordingOf(
    ...[RUN, step(0, 9), step(1, 8), step(2, 7), step(3, 6), { ...FINISHED, status: 'stopped' }],
    ...[{ ...RUN, attempt: 2 }, step(2, 3), torn],
  );
  expect(steps.map(({ step, loss }) => [step, loss])).toEqual([
    [0, 9],
    [1, 8],
    [2, 3],
  ]);
  expect(finish).toBeNull();
});

test('a step that is logged in two lines has the fields of both', async () => {
  const { steps } = await recordingOf(
    ...[RUN, { type: 'step', step: 0, loss: 9 }, { type: 'step', step: 1, loss: 8 }],
    { type: 'step', step: 0, custom: { evalPerplexity: 7 } },
  );
  expect(steps).toMatchObject([
    { step: 0, loss: 9, custom: { evalPerplexity: 7 } },
    { step: 1, loss: 8 },
  ]);
});

test('the duration is that of the attempts, without the time between them', async () => {
  const step = (at: number, time: number) => ({ type: 'step', step: at, time, loss: 1 });
  const { duration } = await recordingOf(
    ...[{ ...RUN, startedAt: 1_000 }, step(0, 3_000), step(1, 4_000)],
    ...[{ ...RUN, attempt: 2, startedAt: 90_000 }, step(1, 91_000), { ...FINISHED, endedAt: 91_500 }],
  );
  expect(duration).toBe(3_000 + 1_500);
});

test('an invalid line of a recording is reported with its number and its field', async () => {
  const reading = recordingOf(RUN, { type: 'step', step: 0.5 });
  await expect(reading).rejects.toMatchObject({
    name: 'RecordingError',
    message: expect.stringMatching(/run\.jsonl:2: step: /),
  });
});

test.each([
  [{ status: 'finished', reason: null }, 'done'],
  [{ status: 'failed', reason: 'gradient norm is not finite at step 9' }, 'done'],
  [{ status: 'failed', reason: 'Error: no space left on device' }, 'interrupted'],
  [{ status: 'stopped', reason: 'interrupted by SIGTERM' }, 'interrupted'],
  [{ status: 'stopped', reason: 'stopped from the dashboard' }, 'stopped'],
  [null, 'interrupted'],
])('a run that ended as %j is %s', async (finish, kind) => {
  const recording = await recordingOf(RUN, { type: 'step', step: 0, loss: 1 });
  expect(stateOf({ ...recording, finish })).toMatchObject({ kind });
});

test('a run without a step is new', async () => {
  expect(stateOf(await recordingOf(RUN))).toEqual({ kind: 'new' });
  expect(stateOf(null)).toEqual({ kind: 'new' });
});

test('the end is the last tenth of the steps; instruments may skip some', async () => {
  const steps = Array.from({ length: 20 }, (_, step) => ({
    ...{ type: 'step', step, loss: 2, tevMean: step % 2 ? null : step + 1, gradVar: step < 4 ? 1 / (step + 1) : step },
    layerOutVar: step % 19 ? null : [1, 2, step],
    custom: step === 10 ? { evalPerplexity: 7 } : {},
  }));
  const result = resultOf(PLAN, await recordingOf(RUN, ...steps, FINISHED));
  expect(result).toMatchObject({
    ...{ steps: 20, divergedAt: null, tevMean: 19, tevMax: 19, tevStd: Number.NaN, evalPerplexity: 7 },
    gradVar: (18 + 19) / 2,
    layerOutVar: [1, 2, 19],
    layerGradVar: [],
  });
  expect(result.correlation.afterWarmup.spearman).toBeCloseTo(1, 12); // both rise from step 4 on
  expect(result.correlation.all.spearman).toBeLessThan(1);
  expect(result.curve).toHaveLength(20);
});

test('a gradient that is not finite is a divergence, with a finite loss', async () => {
  const steps = [0, 1].map((step) => ({ type: 'step', step, loss: 2, gradNorm: step === 1 ? 'Infinity' : 1 }));
  expect(resultOf(PLAN, await recordingOf(RUN, ...steps)).divergedAt).toBe(1);
});
