import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { chooseBackend } from './backend.ts';
import { type CheckpointAbout, readCheckpoint, restore, writeCheckpoint } from './checkpoint.ts';

const ABOUT: CheckpointAbout = {
  run: '01a20c3b-2923-72c2-b6ab-cfeff46d9465',
  attempt: 2,
  steps: 10,
  lrFactor: 0.25,
  text: 'abc',
  settings: { lr: 0.003, tags: ['a', 'ü'], tie: false },
};

let folder: string;
let path: string;
beforeAll(async () => void (await chooseBackend('wasm')));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-checkpoint-'));
  path = join(folder, 'a.safetensors');
});
afterEach(() => rm(folder, { recursive: true }));

const named = (name: string, values: number[], shape: number[]) => ({
  name,
  variable: tf.tidy(() => tf.variable(tf.tensor(values, shape))),
});

test('what is read is what was written, bit for bit', async () => {
  const values = [0.1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45, 3];
  const variables = [named('block 1/w', values, [2, 3]), named('b', [7], [1])];
  await writeCheckpoint(path, ABOUT, variables);
  const checkpoint = await readCheckpoint(path);
  expect(checkpoint.about).toEqual(ABOUT);

  const others = [named('block 1/w', [0, 0, 0, 0, 0, 0], [2, 3]), named('b', [0], [1])];
  restore(checkpoint, others);
  const bits = ({ variable }: (typeof variables)[number]) =>
    new Uint32Array(variable.dataSync<'float32'>().slice().buffer);
  expect(others.map(bits)).toEqual(variables.map(bits));
});

test('a checkpoint from before a setting was renamed is read under its new name', async () => {
  await writeCheckpoint(path, { ...ABOUT, settings: { optimiser: 'sgd', lr: 0.1 } }, []);
  expect((await readCheckpoint(path)).about.settings).toEqual({ optimizer: 'sgd', lr: 0.1 });
});

test('the file is of the safetensors format', async () => {
  await writeCheckpoint(path, ABOUT, [named('w', [1, 2], [2]), named('b', [3], [1])]);
  const file = await readFile(path);
  const length = Number(file.readBigUInt64LE(0));
  const { __metadata__, ...tensors } = JSON.parse(file.toString('utf8', 8, 8 + length));
  expect(tensors).toEqual({
    w: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
    b: { dtype: 'F32', shape: [1], data_offsets: [8, 12] },
  });
  expect(Object.values(__metadata__).every((value) => typeof value === 'string')).toBe(true);
  expect([0, 4, 8].map((at) => file.readFloatLE(8 + length + at))).toEqual([1, 2, 3]);
  expect(file.length).toBe(8 + length + 12);
});

test('a checkpoint that cannot be written leaves the previous one, and nothing else', async () => {
  await writeCheckpoint(path, ABOUT, [named('w', [1], [1])]);
  const broken = named('w', [2], [1]);
  broken.variable.dispose();
  await expect(writeCheckpoint(path, ABOUT, [broken])).rejects.toThrow();
  const { tensors } = await readCheckpoint(path);
  expect([...(tensors.get('w')?.values ?? [])]).toEqual([1]);
  expect(await readdir(folder)).toEqual(['a.safetensors']);
});

test('a checkpoint that cannot take its place leaves nothing behind', async () => {
  await mkdir(path);
  await expect(writeCheckpoint(path, ABOUT, [named('w', [1], [1])])).rejects.toThrow();
  expect(await readdir(folder)).toEqual(['a.safetensors']);
});

test.each([
  ['another file', async () => writeFile(path, 'a text of more than eight bytes')],
  ['an empty file', async () => writeFile(path, '')],
  ['a file cut short', async () => truncate(path, 400)],
  ['a file without its last byte', async () => truncate(path, (await readFile(path)).length - 1)],
])('%s is refused, and named', async (_, damage) => {
  await writeCheckpoint(path, ABOUT, [named('w', Array(100).fill(1), [100])]);
  await damage();
  await expect(readCheckpoint(path)).rejects.toThrow(`--resume: ${path} is not a checkpoint of "evenkeel train"`);
});

test('a missing file is named', async () => {
  await expect(readCheckpoint(join(folder, 'b'))).rejects.toThrow(`--resume: there is no ${join(folder, 'b')}`);
});

test('a checkpoint of another model is refused before anything is changed', async () => {
  await writeCheckpoint(path, ABOUT, [named('a', [1], [1]), named('w', [1, 2], [2])]);
  const checkpoint = await readCheckpoint(path);
  const [a, w] = [named('a', [5], [1]), named('w', [1, 2, 3], [3])];
  expect(() => restore(checkpoint, [a, w])).toThrow('another model or optimizer: w is of shape [2] instead of [3]');
  expect(() => restore(checkpoint, [a, named('x', [1], [1])])).toThrow('x is missing');
  expect([...a.variable.dataSync()]).toEqual([5]);
});
