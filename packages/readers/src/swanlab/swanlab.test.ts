import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lossesOf, readSample, SAMPLES, seriesOf } from '../testing.ts';
import { swanlab } from './format.ts';

test('a run of SwanLab 0.10, with the configuration beside it', async () => {
  const found = readSample(swanlab, 'swanlab/run/run-aotef9fb.swanlab');
  expect(seriesOf(found)).toEqual({
    loss: [
      ...[0, 1, 2].map((step) => [step, 1 / (step + 1)]),
      [3, Number.NaN],
      [4, Number.POSITIVE_INFINITY],
      [5, Number.NEGATIVE_INFINITY],
      [50, 9],
      [10, 8],
      [51, 7],
    ],
    't/acc': [0, 1, 2].map((step) => [step, step]),
  });
  expect(found[0]).toEqual({ kind: 'run', id: 'aotef9fb', project: 'p', name: 'e1', startedAt: 1_795_971_968_721 });
  expect(found).toContainEqual({ kind: 'end', status: 'finished', reason: null, endedAt: 1_795_971_970_380 });
  expect(await swanlab.factsBeside?.(join(SAMPLES, 'swanlab/run/run-aotef9fb.swanlab'))).toEqual({
    config: { lr: 0.1, nan: Number.NaN },
  });
});

test('a run that failed: its error, tags and description; media are counted', async () => {
  const found = readSample(swanlab, 'swanlab/crashed/run-5ekrhqvh.swanlab');
  expect(found[0]).toMatchObject({ name: 'e2', notes: 'about', tags: ['a', 'b'] });
  expect(found).toContainEqual(
    expect.objectContaining({ kind: 'end', status: 'failed', reason: expect.stringContaining('RuntimeError: boom') }),
  );
  expect(lossesOf(found)).toEqual({ 'media: only numbers are read': 1 });
  expect(await swanlab.factsBeside?.(join(SAMPLES, 'swanlab/crashed/run-5ekrhqvh.swanlab'))).toEqual({});
});
