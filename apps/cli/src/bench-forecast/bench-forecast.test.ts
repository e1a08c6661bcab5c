import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { benchForecastCommand } from '../commands/bench-forecast.ts';
import { BASELINES } from './baselines.ts';
import { foldsOf } from './folds.ts';
import type { BenchRun } from './labelled-runs.ts';
import { scoreOf } from './score.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-bench-'));
});
afterAll(() => rm(folder, { recursive: true }));

const run = (id: string, kind: string, onset: number | null): BenchRun => ({ id, kind, onset, steps: [] });

test('a first alarm before the onset is a catch, one on a healthy run is false', () => {
  const alarms = new Map([
    [run('caught', 'ramp', 100), 60],
    [run('late', 'ramp', 100), 100],
    [run('missed', 'sgd', 100), null],
    [run('calm', 'stable', null), null],
    [run('wolf', 'stable', null), 3],
  ]);
  expect(scoreOf(alarms)).toEqual({ diverged: 3, caught: 1, leads: [40], healthy: 2, falseAlarms: 1 });
  expect(scoreOf(alarms, ({ kind }) => kind === 'ramp')).toMatchObject({ diverged: 2, healthy: 0 });
});

test('folds test every run once, on a model that never saw it, and spread each kind', () => {
  const runs = Array.from({ length: 60 }, (_, at) => run(`r${at}`, at % 3 ? 'stable' : 'ramp', at % 3 ? null : 9));
  const folds = foldsOf(runs, 5, 1);
  const names = (some: readonly BenchRun[]) => some.map(({ id }) => id).sort();
  expect(names(folds.flatMap(({ test: tested }) => tested))).toEqual(names(runs));
  for (const { train, test: tested } of folds) {
    expect(train.length + tested.length).toBe(60);
    expect(train.some((one) => tested.includes(one))).toBe(false);
    expect(tested.filter(({ kind }) => kind === 'ramp')).toHaveLength(4);
  }
  expect(foldsOf(runs, 5, 1)).toEqual(folds);
  expect(foldsOf(runs, 5, 2)).not.toEqual(folds);
});

test('no baseline alarms while nothing changes, and each does at what it is for', () => {
  const calm = Array.from({ length: 200 }, (_, step) => {
    const wobble = Math.sin(step) / 100;
    return { step, loss: 3 + wobble, gradNorm: 1 + wobble, gradVar: 1 + wobble, tevMean: 0.02, lr: 1e-3 };
  });
  const broken = Array.from({ length: 20 }, (_, at) => {
    const grown = 2 ** (at + 1);
    return {
      step: 200 + at,
      loss: 3 * grown,
      gradNorm: grown,
      gradVar: grown,
      tevMean: 0.02 * grown,
      lr: 1e-3 * grown,
    };
  });
  for (const [name, newAlarm] of Object.entries(BASELINES)) {
    const alarm = newAlarm();
    expect([name, calm.some((signals) => alarm(signals))]).toEqual([name, false]);
    expect([name, broken.some((signals) => alarm(signals))]).toEqual([name, true]);
  }
});

test('scores a folder of recordings and draws the result', async () => {
  const labels: Record<string, { verdict: string; onset: number | null; kind: string }> = {};
  for (let at = 0; at < 12; at++) {
    const diverges = at % 2 === 0;
    labels[`R${at}`] = {
      verdict: diverges ? 'diverged' : 'healthy',
      onset: diverges ? 190 : null,
      kind: diverges ? 'ramp' : 'stable',
    };
    const steps = Array.from({ length: 190 }, (_, step) => ({
      type: 'step',
      step,
      loss: 3 + Math.sin(step * at) / 10,
      tevMean: 0.02 * (step + 1) ** (0.4 + at / 100) * (diverges ? 2 ** (Math.max(0, step - 100) / 40) : 1),
    }));
    const lines = [{ type: 'run', id: `R${at}`, config: {} }, ...steps].map((line) => JSON.stringify(line)).join('\n');
    await writeFile(join(folder, `R${at}.jsonl`), `${lines}\n`);
  }
  await writeFile(join(folder, 'labels.json'), JSON.stringify(labels));
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const args = ['--runs', folder, '--folds', '3', '--repeats', '1', '--out', join(folder, 'out')];
  await benchForecastCommand().parseAsync(args, { from: 'user' });
  log.mockRestore();
  expect(await readFile(join(folder, 'out/forecast.md'), 'utf8')).toContain(
    '| tev-growth, cross-validated, given TEV | 100 % (6/6) |',
  );
  expect(await readFile(join(folder, 'out/forecast.svg'), 'utf8')).toMatch(/^<svg/);
});
