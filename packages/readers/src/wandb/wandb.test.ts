import { expect, test } from 'vitest';
import type { Found } from '../format.ts';
import { lossesOf, readSample, rowsOf, seriesOf } from '../testing.ts';
import { wandb } from './format.ts';

const factsOf = (found: readonly Found[]) => found.filter(({ kind }) => kind === 'run');
const each = (steps: readonly number[], value: (step: number) => number) => steps.map((step) => [step, value(step)]);

test('a run of W&B 0.31: rows, configuration with its changes, end', () => {
  const found = readSample(wandb, 'wandb/run-fin00001.wandb');
  const first = [0, 1, 2, 3, 4];
  expect(seriesOf(found)).toEqual({
    loss: [
      ...each(first, (step) => 1 / (step + 1)),
      [5, Number.NaN],
      [6, Number.POSITIVE_INFINITY],
      [7, Number.NEGATIVE_INFINITY],
    ],
    'train.acc': each(first, (step) => step),
    'train.deep.x': each(first, () => 1),
    'a.b': each(first, () => 1),
    'p/q': each(first, () => 2),
    int: [[8, 2 ** 60]],
    ...Object.fromEntries(['x', 'z', 'w'].map((name) => [name, [[20, 1]]])),
    a: [[21, 1]],
    b: [[30, 1]],
    b2: [[30, 1]],
    c: [[31, 1]],
    last: [[32, 1]],
  });
  expect(factsOf(found)).toEqual([
    {
      kind: 'run',
      id: 'fin00001',
      project: 'evenkeel-samples',
      name: 'finished',
      tags: ['t1'],
      startedAt: 1_795_971_916_006,
      config: { lr: 0.1, nest: { a: 1, b: [1, 2] }, s: 'x', nan: null, big: { $number: '9007199254740993' } },
    },
    { kind: 'run', config: { late: 5 } },
    { kind: 'run', config: { lr: 0.2 } },
  ]);
  expect(found).toContainEqual({ kind: 'end', status: 'finished', reason: null, endedAt: null });
  // Of step 8 a text, a flag and a list; of step 9 a histogram.
  expect(lossesOf(found)).toEqual({ 'values: no numbers: text, lists, histograms, media': 4 });
  expect(rowsOf(found)[0]?.time).toBe(1_795_971_922_377);
});

test('the step is the step metric that define_metric names, else a global step', () => {
  const found = readSample(wandb, 'wandb/run-def00001.wandb');
  expect(seriesOf(found)).toEqual({
    'train/loss': [0, 10, 20, 30].map((step, at) => [step, 1 / (at + 1)]),
    free: [0, 10, 20, 30].map((step, at) => [step, at]),
    'val/loss': [
      [0, 6],
      [1, 8],
      [1, 9],
    ],
  });
});

test('records that go on in the next block of the file, and the exit code of a program that failed', () => {
  const found = readSample(wandb, 'wandb/run-big00001.wandb');
  expect(factsOf(found)).toMatchObject([{ name: 'blocks', config: { text: 'x'.repeat(40_000) } }]);
  expect(seriesOf(found).loss).toEqual(Array.from({ length: 120 }, (_, step) => [step, 1 / (step + 1)]));
  expect(found).toContainEqual({ kind: 'end', status: 'failed', reason: 'exit code 3', endedAt: null });
});

test('console output is put together to lines', () => {
  const lines = readSample(wandb, 'wandb/run-def00001.wandb').flatMap((found) =>
    found.kind === 'console' ? [found.line] : [],
  );
  expect(lines.map(({ stream, text }) => [stream, text])).toEqual([0, 1, 2, 3].map((at) => ['stdout', `line ${at}`]));
});

test('a file of a run that was killed at once holds nothing, and nothing is wrong with it', () => {
  expect(readSample(wandb, 'wandb/header-only.wandb')).toEqual([]);
});

test('files of one run are found by its id; those that `wandb sync` leaves are none', () => {
  const folder = 'wandb/offline-run-20261129_170514-fin00001';
  expect(wandb.runOf(`${folder}/run-fin00001.wandb`)).toEqual({ key: 'fin00001', name: 'fin00001' });
  const head = Uint8Array.of(0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0);
  expect(wandb.matches(`${folder}/run-fin00001.wandb`, head)).toBe(true);
  expect(wandb.matches(`${folder}/run-fin00001.wandb.synced`, head)).toBe(false);
  expect(wandb.matches(`${folder}/run-fin00001.wandb`, Buffer.from('something else'))).toBe(false);
});
