import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleProgram, listen } from '@evenkeel/trainer/testing';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { parse as parseYaml, stringify } from 'yaml';
import { pathsOf } from './run-folder.ts';
import { parseStudy } from './study-file.ts';

// Studies as a person starts them: a process that starts a process for each run, and a server that receives them.

let bundle: Awaited<ReturnType<typeof bundleProgram>>;
beforeAll(async () => {
  bundle = await bundleProgram(
    import.meta.dirname,
    `import { trainCommand } from '@evenkeel/trainer';
    import { Command } from 'commander';
    import { studyCommand } from './index.ts';
    await new Command('evenkeel').addCommand(trainCommand()).addCommand(studyCommand()).parseAsync();`,
  );
});
afterAll(() => bundle[Symbol.asyncDispose]());

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(bundle.folder, 'study-'));
  file = join(folder, 'tiny.yaml');
});

const MODEL = 'layers: 1, heads: 2, dim: 8, context: 8, batch: 1, microBatches: 2, attention: mha';
const TIMES = 'steps: 300, warmup: 10, checkpointEvery: 10, evalEvery: 1000, evalSequences: 4, seed: 1, lr: 1e-3';
const BASE = `project: tiny\nbase: { ${MODEL}, ${TIMES} }\n`;

/** Below the limit of the longest test. */
const STUDY_MS = 590_000;

function startStudy(...flags: string[]) {
  const args = [bundle.path, 'study', file, '--out', join(folder, 'out'), ...flags];
  const child = spawn(process.execPath, args, { timeout: STUDY_MS });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part) => {
      output += part;
    });
  }
  const exit = once(child, 'close').then(([code]) => ({ code, output }));
  return { child, exit };
}

test('a study that is interrupted resumes where it was, and ends with its results', async () => {
  await using server = await listen();
  await writeFile(file, `${BASE}grid: [{ attention: [mha, mlra] }, { lr: 1e30 }]`);
  const first = startStudy('--server', server.url, '--parallel', '1');
  const { received } = server;
  await Promise.race([server.steps(21), first.exit]);
  first.child.kill('SIGINT');
  const stopped = await first.exit;
  expect(stopped).toEqual({ code: 130, output: expect.stringContaining('the same command resumes it') });
  expect(received.finishes).toMatchObject([{ status: 'stopped', reason: 'interrupted by SIGINT' }]);

  const ended = await startStudy('--server', server.url, '--parallel', '2').exit;
  expect(ended.output).toContain('3 runs: 0 done, 3 to go, 2 at a time');
  expect(ended.output).toContain('mha, 1 layers, lr 1e30, seed 1: loss is not finite at step 1');
  expect(ended.code).toBe(0);
  const resumed = received.starts.filter(({ attempt }) => attempt === 2);
  expect(resumed.map(({ run }) => run)).toEqual([received.starts[0]?.run]);
  const planned = parseStudy(await readFile(file, 'utf8')).runs.map(({ name }) => name);
  expect(new Set(received.starts.map(({ name }) => name))).toEqual(new Set(planned));
  expect(new Set(received.starts.map(({ project }) => project))).toEqual(new Set(['tiny']));

  const page = await readFile(join(folder, 'out/results.md'), 'utf8');
  expect(page).toContain('3 runs, 1 of them diverged;');
  const rows = [...page.matchAll(/^\| m\w+, 1 layers, lr 1e-3, seed 1 \|.*/gm)].map(([row]) => row);
  expect(rows).toEqual(Array(2).fill(expect.stringMatching(/seed 1 \| 300 \| \d+ \| {2}\|.* [\d.]+ \|$/)));

  const again = await startStudy('--server', server.url).exit;
  expect(again.output).toContain('3 runs: 3 done, 0 to go');
  expect(again.code).toBe(0);
  expect(received.starts).toHaveLength(4);
});

test('a run whose process dies is reported, does not stop the others, and is resumed', async () => {
  await using server = await listen();
  await writeFile(file, `${BASE}grid: [{ seed: [1, 2] }]`);
  const [victim] = parseStudy(await readFile(file, 'utf8')).runs;
  if (!victim) throw new Error('the study has runs');
  const paths = pathsOf(join(folder, 'out'), victim);
  const first = startStudy('--server', server.url, '--parallel', '1');
  await Promise.race([server.steps(21), first.exit]);
  process.kill(Number(await readFile(paths.pid, 'utf8')), 'SIGKILL');
  const { code, output } = await first.exit;
  expect(code).toBe(1);
  expect(output).toContain(`${victim.name} failed: it was cut off`);
  expect(output).toContain('1/2 mha, 1 layers, lr 1e-3, seed 2: finished');
  expect(await readFile(join(folder, 'out/results.md'), 'utf8')).toContain(`- ${victim.name}: it was cut off`);

  expect((await startStudy('--server', server.url).exit).code).toBe(0);
  const recorded = (await readFile(paths.recording, 'utf8')).trimEnd().split('\n');
  const lines = recorded.map((line) => JSON.parse(line));
  expect(lines.filter(({ type }) => type === 'run')).toMatchObject([{ attempt: 1 }, { attempt: 2 }]);
  expect(lines.at(-1)).toMatchObject({ type: 'finish', status: 'finished' });
  expect(lines.at(-2)).toMatchObject({ type: 'step', step: 299 });
});

test('--dry-run lists the runs', async () => {
  await writeFile(file, `${BASE}grid: [{ seed: [1, 2] }]`);
  const { code, output } = await startStudy('--dry-run').exit;
  expect({ code, output }).toEqual({
    code: 0,
    output: 'mha, 1 layers, lr 1e-3, seed 1\nmha, 1 layers, lr 1e-3, seed 2\n',
  });
});

test.each([
  ['a setting that the trainer does not know', 'grid: [{ depth: 3 }]', ['--offline'], 'there is no setting "depth"'],
  ['settings that do not go together', 'grid: [{ heads: 3 }]', ['--offline'], '--heads: 3 heads do not share'],
  ['a server that is not there', 'grid: [{}]', ['--server', 'http://127.0.0.1:1'], 'no answer from http://127.0.0.1:1'],
  ['nothing to report', 'grid: [{}]', ['--report'], 'no run of tiny has finished'],
])('%s is reported before anything is trained', async (_, grid, flags, message) => {
  await writeFile(file, BASE + grid);
  const { code, output } = await startStudy(...flags).exit;
  expect(output).toContain(message);
  expect(code).toBe(1);
});

test('a run that another process trains, or that had other settings, is left alone', async () => {
  await writeFile(file, `${BASE}grid: [{}]`);
  const study = parseStudy(await readFile(file, 'utf8'));
  const [run] = study.runs;
  if (!run) throw new Error('the study has a run');
  const paths = pathsOf(join(folder, 'out'), run);
  await mkdir(paths.folder, { recursive: true });
  await writeFile(paths.pid, String(process.pid));
  const { code, output } = await startStudy('--offline').exit;
  expect({ code, output }).toEqual({
    code: 1,
    output: expect.stringContaining(`${run.name} is being trained by process ${process.pid}`),
  });

  await rm(paths.pid);
  await writeFile(paths.config, 'steps: 3\n');
  expect((await startStudy('--offline').exit).output).toContain('differs from the study’s settings');
  expect(await readFile(paths.config, 'utf8')).toBe('steps: 3\n');
});

test('the study of the documentation runs, in a short form', { timeout: 600_000 }, async () => {
  const documented = parseYaml(await readFile(join(import.meta.dirname, '../../../docs/study/study.yaml'), 'utf8'));
  const small = { dim: 8, heads: 2, context: 8, batch: 1, microBatches: 2, steps: 20, warmup: 5, evalEvery: 10 };
  const grid = documented.grid.map((part: object) => ({ ...part, seed: 1 }));
  await writeFile(file, stringify({ ...documented, base: { ...documented.base, ...small }, grid }));
  const { code, output } = await startStudy('--offline').exit;
  expect([code, output]).toEqual([0, expect.stringContaining('18 runs: 0 done, 18 to go')]);
  const results = await readFile(join(folder, 'out/results.md'), 'utf8');
  for (const attention of ['mha', 'mlra', 'sigma-reparam']) {
    for (const layers of [3, 6, 12])
      expect(results).toMatch(new RegExp(`^\\| ${attention} \\| ${layers} \\| 0 of 1 \\|`, 'm'));
    for (const lr of ['1e-3', '1e-2', '3e-2']) expect(results).toContain(`| ${attention} | ${lr} |`);
  }
  expect(results).toMatch(/^\*\*MLRA limits the variance of what the layers put out: /m);
});
