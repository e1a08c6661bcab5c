import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lossesOf, readSample, rowsOf, SAMPLES, seriesOf } from '../testing.ts';
import { crc32c } from './crc32c.ts';
import { tensorboard } from './format.ts';

const NAN = Number.NaN;
const INF = Number.POSITIVE_INFINITY;
const { fround } = Math;

/** What the files of a folder hold, in the order of their names. */
function readFolder(folder: string) {
  const names = readdirSync(join(SAMPLES, folder), { withFileTypes: true }).filter((entry) => entry.isFile());
  return names.flatMap(({ name }) => readSample(tensorboard, `${folder}/${name}`));
}

/** 1, 1/2, 1/3 … as float32. */
const falling = (count: number) => Array.from({ length: count }, (_, step) => [step, fround(1 / (step + 1))]);

test('the checksum is the one of RFC 3720, B.4', () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, at) => at))).toBe(0x46dd794e);
});

test('torch: scalars of every kind, also as tensors of either width', () => {
  const found = readFolder('tensorboard/torch');
  expect(seriesOf(found)).toEqual({
    'loss/train': falling(5),
    special: [
      [0, NAN],
      [1, INF],
      [2, -INF],
    ],
    f64: [
      [0, fround(0.1)],
      [1, INF],
      [2, -INF],
    ],
    new: [[0, fround(0.1)]],
    dbl: [
      [0, fround(0.1)],
      [1, INF],
    ],
    newdbl: [[0, 0.1]],
    nostep: [
      [0, 1],
      [0, 2],
    ],
    wt: [[0, 1]],
    fstep: [[1, 1]],
    negstep: [[-1, 1]],
    bf16: [[0, 0.10009765625]],
    int: [[0, 2 ** 53]],
    bigstep: [[2 ** 40, 1]],
  });
  expect(rowsOf(found).find(({ values }) => 'wt' in values)?.time).toBe(Math.round(1234.5678 * 1_000));
  expect(lossesOf(found)).toEqual({
    'histograms: only numbers are read': 1,
    'values of the plugin "text": only numbers are read': 1,
  });
});

test('torch: what add_scalars writes is a run of its own for each key', () => {
  for (const [folder, value] of [
    ['grp_x_a', 1],
    ['grp_x_b', 2],
  ] as const)
    expect(seriesOf(readFolder(`tensorboard/torch/${folder}`))).toEqual({ 'grp/x': [[3, value]] });
  const path = 'runs/grp_x_a/events.out.tfevents.1795970310.vm.2217.1';
  expect(tensorboard.runOf(path)).toEqual({ key: 'runs/grp_x_a', name: 'runs/grp_x_a' });
});

test('hyperparameters are the configuration of their run', () => {
  const found = readFolder('tensorboard/torch/1795970310.9942033');
  expect(found).toContainEqual({ kind: 'run', config: { f: 1, lr: 0.1, bs: 8 } });
  expect(seriesOf(found)).toEqual({ 'hparam/acc': [[0, 0.5]] });
});

test('purge_step: what follows is of the next attempt', () => {
  const found = readFolder('tensorboard/purge');
  expect(found.filter(({ kind }) => kind === 'attempt')).toHaveLength(1);
  const split = found.findIndex(({ kind }) => kind === 'attempt');
  expect(seriesOf(found.slice(0, split)).l).toEqual(Array.from({ length: 10 }, (_, step) => [step, step]));
  expect(seriesOf(found.slice(split)).l).toEqual([5, 6, 7].map((step) => [step, 100 + step]));
});

test('tensorboardX', () => {
  expect(seriesOf(readFolder('tensorboard/tensorboardx'))).toEqual({
    'a/loss': falling(3),
    nan: [
      [0, NAN],
      [1, INF],
    ],
    disp: [[0, 1]],
  });
  expect(seriesOf(readFolder('tensorboard/tensorboardx/grp/b'))).toEqual({ grp: [[0, 2]] });
});

test('TensorFlow 2: scalars are tensors of rank 0', () => {
  expect(seriesOf(readFolder('tensorboard/tf2'))).toEqual({
    loss: falling(4),
    nan: [
      [0, NAN],
      [1, INF],
    ],
    f64: [
      [0, INF],
      [1, fround(0.1)],
    ],
    int: [[0, 7]],
    'scope/x': [[0, 1]],
  });
});

test('a file that is cut gives what is whole, and says how many bytes are left', () => {
  const found = readFolder('tensorboard/truncated');
  expect(seriesOf(found).l).toEqual(Array.from({ length: 9 }, (_, step) => [step, step]));
  expect(lossesOf(found)).toEqual({ 'bytes: the last record is incomplete': 29 });
});
