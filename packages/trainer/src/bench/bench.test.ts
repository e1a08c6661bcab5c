import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleProgram } from '../testing.ts';
import { type Bench, reportOf } from './report.ts';
import { flopPerStep, type StepTime } from './workload.ts';

// The bench as a person starts it: a process that starts one for each backend, and Python.

let program: Awaited<ReturnType<typeof bundleProgram>>;
beforeAll(async () => {
  program = await bundleProgram(
    import.meta.dirname,
    `import { Command } from 'commander';
    import { benchTrainCommand } from './command.ts';
    const bench = new Command('bench').addCommand(benchTrainCommand());
    await new Command('evenkeel').addCommand(bench).parseAsync();`,
  );
});
afterAll(() => program[Symbol.asyncDispose]());

const WORKLOAD = { layers: 2, heads: 2, dim: 8, context: 6, vocabulary: 16, batch: 3, steps: 3 };
const FLAGS = Object.entries(WORKLOAD).flatMap(([name, value]) => [`--${name}`, String(value)]);

const run = (...flags: string[]) =>
  promisify(execFile)(process.execPath, [program.path, 'bench', 'train', ...FLAGS, ...flags], { timeout: 200_000 });

test('every backend has its times, or a reason for having none', async () => {
  const bench: Bench = JSON.parse((await run('--json')).stdout);
  expect(bench.workload).toEqual(WORKLOAD);
  expect(bench.backends.map(({ backend }) => backend)).toEqual(['cpu', 'wasm', 'webgpu', 'node', 'node-gpu']);
  for (const times of [...bench.backends, bench.torch]) {
    if ('absent' in times) expect(times.absent).not.toBe('');
    else expectTimes(times);
  }
  for (const name of ['wasm', 'cpu']) {
    const times = bench.backends.find(({ backend }) => backend === name);
    expect(times).toMatchObject({ parameters: 16 * 8 + 6 * 8 + 2 * (12 * 8 * 8 + 13 * 8) + 2 * 8 + 16 * 8 });
  }
  const lines = reportOf(bench);
  expect(lines.find((line) => line.startsWith('wasm'))).toMatch(/^wasm( +[\d.]+){4} +3$/);
  expect(lines.at(-1)).toMatch(/^TEV is \d+ times cheaper\.$/);
});

function expectTimes({ wallMs, cpuMs, steps }: StepTime): void {
  expect(wallMs).toBeGreaterThan(0);
  expect(cpuMs).toBeGreaterThan(0);
  expect(steps).toBe(WORKLOAD.steps);
}

test('one backend alone', async () => {
  const { stdout } = await run('--backend', 'cpu');
  expect(stdout).toMatch(/^cpu( +[\d.]+){4} +3$/m);
  expect(stdout).toContain('Instruments on cpu');
});

test('heads that do not share the dimension are refused', async () => {
  await expect(run('--heads', '3')).rejects.toThrow('3 heads do not share a dimension of 8 evenly');
});

test('the ratio to PyTorch is by CPU time', () => {
  const wasm = {
    ...{ backend: 'wasm' as const, reason: 'asked for', parameters: 1_234_567, wallMs: 500, cpuMs: 400, steps: 10 },
    ...{ tevCpuMs: 0.5, gradientVarianceCpuMs: 40 },
  };
  const torch = { version: '2.0', wallMs: 300, cpuMs: 100, steps: 10 };
  const lines = reportOf({ workload: WORKLOAD, backends: [wasm, { backend: 'cpu', absent: 'broken' }], torch });
  expect(lines[0]).toContain('1.23 M parameters');
  expect(lines).toContain('cpu                    broken');
  expect(lines.slice(-4).join(' ')).toBe(
    'By CPU time, wasm has 0.25 of the speed of PyTorch on one thread. ' +
      'Instruments on wasm, by CPU time: TEV 0.50 ms, 0.13 % of a step; ' +
      'gradient variance over 4 micro-batches 40 ms, 10 % of a step: TEV is 80 times cheaper.',
  );
});

test('the operations of a step are those of its matrix products', () => {
  const { layers, heads, dim, context, vocabulary, batch } = WORKLOAD;
  const tokens = batch * context;
  const product = (rows: number, inner: number, columns: number) => 2 * rows * inner * columns;
  const weights = [
    [dim, 3 * dim],
    [dim, dim],
    [dim, 4 * dim],
    [4 * dim, dim],
  ] as const;
  const block = weights.reduce((sum, [inner, columns]) => sum + product(tokens, inner, columns), 0);
  const head = product(tokens, dim, vocabulary);
  const size = dim / heads;
  const attention = batch * heads * (product(context, size, context) + product(context, context, size));
  // the backward pass has two products for each of the forward pass
  expect(flopPerStep(WORKLOAD)).toBe(3 * (layers * (block + attention) + head));
});
