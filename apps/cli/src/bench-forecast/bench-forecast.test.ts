import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { benchForecastCommand } from '../commands/bench-forecast.ts';
import { BASELINES } from './baselines.ts';
import { foldsByKind } from './folds.ts';
import { wilson } from './forecast.ts';
import { type BenchRun, readRunSet } from './run-set.ts';
import { scoreOf } from './score.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-bench-'));
});
afterAll(() => rm(folder, { recursive: true }));

const run = (id: string, kind: string, onset: number | null): BenchRun => {
  return { id, kind, onset, verdict: onset === null ? 'healthy' : 'diverged', steps: [] };
};

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

test('every kind is left out once, and tested on what was learned from all others', () => {
  const kinds = ['ramp', 'sgd', 'stable'];
  const runs = Array.from({ length: 60 }, (_, at) => run(`r${at}`, kinds[at % 3] ?? '', at % 3 ? null : 9));
  const folds = foldsByKind(runs);
  const names = (some: readonly BenchRun[]) => some.map(({ id }) => id).sort();
  expect(folds).toHaveLength(3);
  expect(names(folds.flatMap(({ test: tested }) => tested))).toEqual(names(runs));
  for (const { train, test: tested } of folds) {
    expect(names([...train, ...tested])).toEqual(names(runs));
    expect(train.some(({ kind }) => kind === tested[0]?.kind)).toBe(false);
  }
});

test('an interval of a share is what its definition says, and holds about nine times of ten', () => {
  for (const [share, n] of [
    [0, 30],
    [0.2, 30],
    [0.9, 200],
  ] as const) {
    // Wilson: the shares from which what was seen is just 1.645 standard errors away
    for (const bound of wilson(share, n))
      expect(Math.abs(share - bound)).toBeCloseTo(1.645 * Math.sqrt((bound * (1 - bound)) / n), 9);
  }
});

test('no baseline alarms while nothing changes, and each does at what it is for', () => {
  const calm = Array.from({ length: 200 }, (_, step) => {
    const wobble = Math.sin(step) / 100;
    const [attentionLogitMax, updateRms] = [5 + wobble, 1 + wobble];
    const gradients = { gradNorm: 1 + wobble, gradVar: 1 + wobble, attentionLogitMax, updateRms };
    return { step, loss: 3 + wobble, ...gradients, tevMean: 0.02, lr: 1e-3 };
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
      attentionLogitMax: 5 * grown,
      updateRms: grown,
    };
  });
  for (const [name, newAlarm] of Object.entries(BASELINES)) {
    const alarm = newAlarm();
    expect([name, calm.some((signals) => alarm(signals))]).toEqual([name, false]);
    expect([name, broken.some((signals) => alarm(signals))]).toEqual([name, true]);
  }
});

/** Writes a recording of one run; a line that names a run begins its next attempt. */
function record(path: string, lines: readonly object[]): Promise<void> {
  return writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

const stepsOf = (count: number, signalsAt: (step: number) => object) =>
  Array.from({ length: count }, (_, step) => ({ type: 'step', step, ...signalsAt(step) }));

/** What the command writes with some arguments. */
async function benchmark(...args: string[]): Promise<{ tables: string; plot: string }> {
  const out = join(folder, 'out');
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await benchForecastCommand().parseAsync([...args, '--out', out], { from: 'user' });
  log.mockRestore();
  const read = (file: string) => readFile(join(out, file), 'utf8');
  return { tables: await read('forecast.md'), plot: await read('forecast.svg') };
}

test('scores a folder of labeled recordings, cross-validated, and draws the result', async () => {
  const labeled = join(folder, 'labeled');
  await mkdir(labeled);
  const labels: Record<string, { verdict: string; onset: number | null; kind: string }> = {};
  for (let at = 0; at < 12; at++) {
    const diverges = at % 2 === 0;
    labels[`R${at}`] = {
      verdict: diverges ? 'diverged' : 'healthy',
      onset: diverges ? 190 : null,
      kind: diverges ? 'ramp' : 'stable',
    };
    const steps = stepsOf(190, (step) => ({
      loss: 3 + Math.sin(step * at) / 10,
      tevMean: 0.02 * (step + 1) ** (0.4 + at / 100) * (diverges ? 2 ** (Math.max(0, step - 100) / 40) : 1),
    }));
    await record(join(labeled, `R${at}.jsonl`), [{ type: 'run', id: `R${at}`, config: {} }, ...steps]);
  }
  await writeFile(join(labeled, 'labels.json'), JSON.stringify(labels));
  const { tables, plot } = await benchmark('--runs', labeled);
  expect(tables).toContain('12 runs count: 6 diverged, 0 were hurt, 0 were stuck, 6 stayed healthy. 0 do not');
  expect(tables).toContain('| tev-growth, given TEV | 100 % (6/6) |');
  expect(plot).toMatch(/^<svg/);
});

test('without labels, losses and tags decide', async () => {
  const own = join(folder, 'own');
  await mkdir(join(own, 'runs'), { recursive: true });
  const learning = (step: number) => ({ loss: 5 - Math.min(3, step / 20), lr: 1e-3 });
  const blownUp = (from: number) => (step: number) => (step < from ? learning(step) : { loss: 50, lr: 1e-3 });
  const runs = {
    calm: ['benign', stepsOf(120, learning)],
    burst: ['ramp', stepsOf(120, blownUp(80))],
    stillborn: ['ramp', stepsOf(120, blownUp(10))],
    climbing: ['ramp', stepsOf(120, (step) => ({ ...learning(step), lr: 1e-3 * 1.01 ** step }))],
    overflowing: ['ramp', [...stepsOf(100, learning), { type: 'step', step: 100, loss: 2, gradNorm: 'Infinity' }]],
  } as const;
  for (const [id, [tag, steps]] of Object.entries(runs))
    await record(join(own, 'runs', `${id}.jsonl`), [{ type: 'run', id, config: {}, tags: [tag] }, ...steps]);
  // it blew up, and went on from before that
  const [blown, resumed] = [stepsOf(120, blownUp(80)), stepsOf(120, learning).slice(60)];
  const start = { type: 'run', id: 'rescued', config: {} };
  await record(join(own, 'rescued.jsonl'), [start, ...blown, { ...start, attempt: 2 }, ...resumed]);
  const { runs: found, early, doubtful, isLabeled } = await readRunSet(own);
  expect(found.map(({ id, kind, onset }) => [id, kind, onset]).sort()).toEqual([
    ['burst', 'ramp', 84], // when five of the last nine losses are up
    ['calm', 'benign', null],
    ['overflowing', 'ramp', 100],
    ['rescued', 'untagged', null],
  ]);
  expect(found.find(({ id }) => id === 'rescued')?.steps.map(({ step }) => step)).toEqual(
    Array.from({ length: 120 }, (_, step) => step),
  );
  expect({ early, doubtful, isLabeled }).toEqual({ early: 1, doubtful: 1, isLabeled: false });
});

const FAMILIES = ['ramp', 'constant rate too high', 'SGD at the edge', 'post-LayerNorm', 'benign rate changes'];

test('without --runs it scores the recordings that are at hand, as shipped, of all five families', async () => {
  const { tables, plot } = await benchmark();
  expect(tables).toContain('The forecast has its shipped constants, which were fitted on none of these runs.');
  for (const logged of ['at each step', 'each 10 steps', 'each 50 steps'])
    expect(tables).toContain(`## Logged ${logged}\n`);
  const kinds = tables.split('## By kind, given TEV\n')[1]?.split('##')[0];
  for (const family of FAMILIES) expect(kinds).toContain(`| ${family} |`);
  expect(plot).toMatch(/^<svg/);
});

test('of runs that did not diverge it says which were hurt and which were stuck, by the entropy of their data', async () => {
  const own = join(folder, 'verdicts');
  await mkdir(own);
  const learning = (step: number) => ({ loss: 5 - Math.min(3, step / 20), lr: 1e-3 });
  const losses = {
    learned: learning,
    hurt: (step: number) => ({ loss: learning(step).loss + (step >= 80 && step < 100 ? 1 : 0), lr: 1e-3 }),
    stuck: () => ({ loss: 5, lr: 1e-3 }),
    diverged: (step: number) => (step < 80 ? learning(step) : { loss: 50, lr: 1e-3 }),
  };
  for (const [id, signalsAt] of Object.entries(losses)) {
    const start = { type: 'run', id, config: { unigramEntropy: 4 }, tags: ['one'] };
    await record(join(own, `${id}.jsonl`), [start, ...stepsOf(120, signalsAt)]);
  }
  const { runs } = await readRunSet(own);
  expect(Object.fromEntries(runs.map(({ id, verdict }) => [id, verdict]))).toEqual({
    learned: 'healthy',
    hurt: 'hurt',
    stuck: 'stuck',
    diverged: 'diverged',
  });
  const { tables } = await benchmark('--runs', own);
  expect(tables).toContain('4 runs count: 1 diverged, 1 was hurt, 1 was stuck, 1 stayed healthy.');
});

test('a folder without a run that diverged cannot be scored', async () => {
  const calm = join(folder, 'calm');
  await mkdir(calm);
  await record(join(calm, 'run.jsonl'), [{ type: 'run', id: 'calm', config: {} }, ...stepsOf(50, () => ({ loss: 3 }))]);
  await expect(benchmark('--runs', calm)).rejects.toThrow('calm: holds no run that diverged');
});

test('labeled runs of one kind cannot be cross-validated', async () => {
  const alike = join(folder, 'alike');
  await mkdir(alike);
  const labels: Record<string, object> = {};
  for (const [id, verdict, onset] of [
    ['A', 'diverged', 40],
    ['B', 'healthy', null],
  ] as const) {
    labels[id] = { verdict, onset, kind: 'ramp' };
    const steps = stepsOf(50, () => ({ loss: 3 }));
    await record(join(alike, `${id}.jsonl`), [{ type: 'run', id, config: {} }, ...steps]);
  }
  await writeFile(join(alike, 'labels.json'), JSON.stringify(labels));
  await expect(benchmark('--runs', alike)).rejects.toThrow('alike: holds runs of one kind');
});
