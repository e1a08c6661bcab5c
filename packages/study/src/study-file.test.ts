import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UNSOUND_YAML } from '@evenkeel/trainer/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkSettings } from './run-folder.ts';
import { parseStudy, readStudy } from './study-file.ts';

const BASE = 'base: { attention: mha, layers: 2, lr: 1e-3, seed: 1, steps: 10, warmup: 2 }';
const names = (source: string) => parseStudy(`project: p\n${source}`).runs.map((run) => run.name);

describe('the grid', () => {
  test('is the product of the values of an entry, the last changing fastest', () => {
    expect(names(`${BASE}\ngrid: [{ attention: [mha, mlra], layers: 3, seed: [1, 2] }]`)).toEqual([
      'mha, 3 layers, lr 1e-3, seed 1',
      'mha, 3 layers, lr 1e-3, seed 2',
      'mlra, 3 layers, lr 1e-3, seed 1',
      'mlra, 3 layers, lr 1e-3, seed 2',
    ]);
  });

  test('is the union of its entries, and takes a run once', () => {
    const grid = 'grid: [{ seed: [1, 2] }, { lr: [0.001, 0.0025], seed: 2 }]';
    expect(names(`${BASE}\n${grid}`)).toEqual([
      'mha, 2 layers, lr 1e-3, seed 1',
      'mha, 2 layers, lr 1e-3, seed 2',
      'mha, 2 layers, lr 2.5e-3, seed 2',
    ]);
  });

  test('names what else it varies beside the attention', () => {
    const study = parseStudy(`project: p\n${BASE}\ngrid: [{ attention: mlra, rank: [4, 8] }, { attention: mha }]`);
    expect(study.runs.map((run) => run.attention)).toEqual(['mlra, rank 4', 'mlra, rank 8', 'mha']);
    expect(study.runs[1]?.settings).toMatchObject({ rank: 8, steps: 10 });
    expect(study.runs[1]?.folder).toBe('mlra-rank-8-2-layers-lr-1e-3-seed-1');
  });
});

describe('a bad file is reported with its field', () => {
  let file: string;
  beforeAll(async () => {
    file = join(await mkdtemp(join(tmpdir(), 'evenkeel-study-')), 'study.yaml');
  });
  afterAll(() => rm(join(file, '..'), { recursive: true }));

  test.each([
    [`grid: [{}]`, 'project'],
    [`project: p\n${BASE}`, 'grid'],
    [`project: p\n${BASE}\ngrid: []`, 'grid'],
    [`project: p\n${BASE}\ngrid: [{ seed: [] }]`, 'grid[0].seed'],
    [`project: p\n${BASE}\ngrid: [{ seed: { from: 1 } }]`, 'grid[0].seed: expected a value, or a list of values'],
    [`project: p\n${BASE}\ngrid: [{}, { record: x.jsonl }]`, 'grid[1].record: is set by the study itself'],
    [`project: p\n${BASE}\ngrid: [{ lr: fast }]`, 'grid[0]: with base, lr is not right'],
    [`project: p\nbase: { layers: 2 }\ngrid: [{}]`, 'grid[0]: with base, attention is missing'],
    [`project: p\n${BASE}\nparallel: 0\ngrid: [{}]`, 'parallel'],
    [`project: p\n${BASE}\ngrid: [{}]\nsteps: 3`, 'steps'],
    ['project: [', 'line 1'],
  ])('%j: %s', async (source, field) => {
    await writeFile(file, source);
    await expect(readStudy(file)).rejects.toThrow(field);
    await expect(readStudy(file)).rejects.toMatchObject({ name: 'UsageError', message: expect.stringContaining(file) });
  });

  test('or with its name, where it is not there', async () => {
    await expect(readStudy('/nowhere/study.yaml')).rejects.toThrow('there is no /nowhere/study.yaml');
  });

  test.each(UNSOUND_YAML)('and with the line, without a stack, where it is a YAML %s', async (_, source, message) => {
    await writeFile(file, source);
    const error = await readStudy(file).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: 'UsageError',
      message: expect.stringMatching(/^\S+study\.yaml(, line \d+)?: [^\n]+$/),
    });
    expect((error as Error).message).toContain(message);
  });

  test('a study of more runs than memory holds is refused with their number', async () => {
    const values = JSON.stringify(Array.from({ length: 1_000 }, (_, at) => at + 1));
    await writeFile(file, `project: p\ngrid: [{ seed: ${values}, steps: ${values}, layers: ${values} }]`);
    await expect(readStudy(file)).rejects.toThrow('grid: has 1000000000 runs; the max of a study is 10000');
  });

  test('some aliases are fine', async () => {
    await writeFile(
      file,
      'project: p\nbase: &b { attention: mha, layers: 2, lr: 1e-3, seed: 1, steps: 9, warmup: 2 }\ngrid: [*b]',
    );
    expect((await readStudy(file)).runs).toHaveLength(1);
  });
});

test('the recipe of the runs that the forecast is scored on is a study that the trainer takes, of five families', async () => {
  const { runs } = await readStudy(fileURLToPath(new URL('../../../docs/forecast-runs.yaml', import.meta.url)));
  expect(new Set(runs.map(({ settings }) => settings.tags)).size).toBe(5);
  await expect(Promise.all(runs.map(checkSettings))).resolves.toHaveLength(69);
});
