import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lossesOf, readStore, SAMPLES, seriesOf } from '../testing.ts';
import { neptune } from './format.ts';

test('a project that the exporter has written: parts of a run are one run', async () => {
  const folder = join(SAMPLES, 'neptune/lab_proj');
  expect(await neptune.matches(folder)).toBe(true);
  const [first, second, ...others] = await readStore(neptune, folder);
  expect(others).toEqual([]);
  expect(first?.run).toEqual({
    ...{ id: 'RUN-1', project: 'lab/proj', name: 'first', startedAt: 1_795_970_000_000, tags: ['a', 'b'] },
    config: { 'params/lr': 0.1, 'params/layers': 9007199254740993n, 'params/name': 'x', 'params/on': true },
  });
  expect(seriesOf(first?.found ?? [])).toEqual({
    'train/loss': [
      ...[0, 1, 2].map((step) => [step, 1 / (step + 1)]),
      [3, Number.NaN],
      [4, Number.POSITIVE_INFINITY],
      [5, Number.NEGATIVE_INFINITY],
    ],
    'train/acc': [
      [0, 0],
      [1, 0.25],
    ],
    fine: [[1, 2]],
  });
  expect(lossesOf(first?.found ?? [])).toEqual({
    'points: their step is no whole number': 1,
    'values of type string_series: only numbers are read': 1,
    'values of type file: only numbers are read': 1,
    'values of type histogram_series: only numbers are read': 1,
  });
  expect(seriesOf(second?.found ?? [])).toEqual({ loss: [[10, 2]] });
});

test('a folder without such files is none', async () => {
  for (const path of [SAMPLES, join(SAMPLES, 'neptune'), join(SAMPLES, 'mlflow/mlflow.db')])
    expect(await neptune.matches(path)).toBe(false);
});

test('a folder or a dead link that is called as a Parquet file is none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-neptune-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'a.parquet'));
  expect(await neptune.matches(folder)).toBe(false);
  await rm(join(folder, 'a.parquet'), { recursive: true });
  await symlink('nowhere', join(folder, 'b.parquet'));
  expect(await neptune.matches(folder)).toBe(false);
});
