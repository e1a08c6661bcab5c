import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCheckpoint } from '../checkpoint.ts';
import { bundleProgram, listen } from '../testing.ts';

// The trainer as a process of its own, as `evenkeel demo` runs it, against a socket.io server that keeps what it receives.

let program: Awaited<ReturnType<typeof bundleProgram>>;
let folder: string;
beforeAll(async () => {
  program = await bundleProgram(
    import.meta.dirname,
    "import { trainCommand } from './command.ts'; await trainCommand().parseAsync();",
  );
  folder = program.folder;
});
afterAll(() => program[Symbol.asyncDispose]());

const TINY = ['--layers', '1', '--heads', '2', '--dim', '8', '--context', '8', '--micro-batches', '2'];

const startTrainer = (url: string, ...flags: string[]) => spawnTrainer('--server', url, ...TINY, ...flags);

/** Files that the trainer makes by default land in the test's folder. */
function spawnTrainer(...flags: string[]) {
  const args = [program.path, ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 200_000, cwd: folder });
  const printed = { output: '', errors: '' };
  child.stdout.on('data', (part) => {
    printed.output += part;
  });
  child.stderr.on('data', (part) => {
    printed.errors += part;
  });
  const exit = once(child, 'close').then(([code]) => ({ code, ...printed }));
  return { child, exit };
}

test('every step of a run reaches the server, with the names of the layers, and its end', async () => {
  await using server = await listen();
  const { exit } = startTrainer(server.url, '--steps', '30', '--project', 'demo', '--name', 'tiny', '--tags', 'a,b');
  const { code, output } = await exit;
  expect(code).toBe(0);
  expect(output).toContain('finished');

  const { starts, steps, finishes } = server.received;
  expect(starts).toMatchObject([{ project: 'demo', name: 'tiny', tags: ['a', 'b'], owner: null, notes: '' }]);
  expect(starts[0]?.layers).toEqual(['embedding', 'block 1', 'head']);
  expect(starts[0]?.config).toMatchObject({
    steps: 30,
    seed: 1,
    model: { layers: 1, dim: 8 },
    text: expect.any(String),
  });
  expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 30 }, (_, at) => at));
  expect(
    steps.every(({ layerGradVar, tevQuantiles }) => layerGradVar?.length === 3 && tevQuantiles?.length === 9),
  ).toBe(true);
  expect(finishes).toMatchObject([{ status: 'finished', reason: null }]);
});

/** The losses of a recording, in its order. */
async function recordedLosses(path: string): Promise<number[]> {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line)).flatMap(({ type, loss }) => (type === 'step' ? [loss] : []));
}

test.each([
  ['mha', 'adamw'],
  ['sigma-reparam', 'sgd'],
])(
  'a run of %s with %s that is stopped resumes from its checkpoint as if it had not been stopped',
  async (attention, optimizer) => {
    const training = ['--steps', '300', '--attention', attention, '--optimizer', optimizer, '--lr', '0.01'];
    const whole = join(folder, `${attention}.jsonl`);
    await spawnTrainer('--offline', '--record', whole, '--no-checkpoint', ...TINY, ...training).exit;

    await using server = await listen();
    const checkpoint = join(folder, `${attention}.safetensors`);
    const { child, exit } = startTrainer(server.url, ...training, '--checkpoint', checkpoint);
    await Promise.race([server.steps(10), exit]);
    child.kill('SIGINT');
    expect((await exit).code).toBe(0);
    expect(server.received.steps.length).toBeLessThan(300);
    const { code, output } = await spawnTrainer('--resume', checkpoint, '--server', server.url).exit; // all other settings are in the checkpoint
    expect(code).toBe(0);
    expect(output).toContain(', attempt 2, on http');

    const { starts, steps, finishes } = server.received;
    expect(starts.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(starts[1]?.run).toBe(starts[0]?.run);
    expect(finishes.map(({ status }) => status)).toEqual(['stopped', 'finished']);
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 300 }, (_, at) => at));
    expect(steps.map(({ loss }) => loss)).toEqual(await recordedLosses(whole));
  },
);

test('resuming from a copy leaves the original checkpoint unchanged, and is the next attempt each time', async () => {
  const [checkpoint, copy] = ['original', 'copy'].map((name) => join(folder, `${name}.safetensors`)) as [
    string,
    string,
  ];
  await spawnTrainer('--offline', '--steps', '6', '--checkpoint', checkpoint, ...TINY).exit;
  await copyFile(checkpoint, copy);
  for (const attempt of [2, 3]) {
    const { code } = await spawnTrainer('--resume', copy, '--offline', '--steps', `${4 + 4 * attempt}`).exit;
    expect(code).toBe(0);
    expect((await readCheckpoint(copy)).about).toMatchObject({ attempt, steps: 4 + 4 * attempt });
  }
  expect((await readCheckpoint(checkpoint)).about).toMatchObject({ attempt: 1, steps: 6 });
});

test('a run that has done all its steps cannot be resumed', async () => {
  const checkpoint = join(folder, 'done.safetensors');
  await spawnTrainer('--offline', '--steps', '3', '--checkpoint', checkpoint, ...TINY).exit;
  const { code, errors } = await spawnTrainer('--offline', '--resume', checkpoint).exit;
  expect([code, errors]).toEqual([1, 'error: --resume: all 3 steps are done; give --steps more than 3\n']);
});

test('a state that is not finite is not kept', async () => {
  const checkpoint = join(folder, 'infinite.safetensors');
  const flags = [
    '--lr',
    '1e30',
    '--warmup',
    '0',
    '--steps',
    '50',
    '--checkpoint-every',
    '1',
    '--checkpoint',
    checkpoint,
  ];
  const { code, output } = await spawnTrainer('--offline', ...TINY, ...flags).exit;
  expect(code).toBe(1);
  expect(output).not.toContain('checkpoint ');
  await expect(readCheckpoint(checkpoint)).rejects.toThrow('there is no');
});

test('a checkpoint that cannot be written is reported before the first step', async () => {
  const { code, errors, output } = await spawnTrainer('--offline', '--checkpoint', '/dev/null/a', ...TINY).exit;
  expect(code).toBe(1);
  expect(errors).toMatch(/^error: --checkpoint: .*\/dev\/null/);
  expect(output).not.toContain('step 1');
});

test('a checkpoint of another model is refused with the reason', async () => {
  const checkpoint = join(folder, 'nano.safetensors');
  await spawnTrainer('--offline', '--steps', '2', '--checkpoint', checkpoint, ...TINY).exit;
  const { code, errors } = await spawnTrainer('--resume', checkpoint, '--dim', '16').exit;
  expect(code).toBe(1);
  expect(errors).toMatch(
    /^error: --resume: the checkpoint is of another model or optimizer: embedding\/wte is of shape/,
  );
});

test('without a server a run is recorded, and its checkpoint has the default path', async () => {
  const { code, output } = await spawnTrainer('--offline', '--steps', '5', ...TINY).exit;
  expect(code).toBe(0);
  const [, run] = /run (\S+), recorded in \1\.jsonl/.exec(output) ?? [];
  expect(await recordedLosses(join(folder, `${run}.jsonl`))).toHaveLength(5);
  expect(output).toContain(`checkpoint checkpoints/${run}.safetensors\n`);
  expect((await readCheckpoint(join(folder, `checkpoints/${run}.safetensors`))).about).toMatchObject({ run, steps: 5 });
});

test('--dry-run prints the settings and trains nothing', async () => {
  const { code, output } = await spawnTrainer('--dry-run', '--attention', 'mlra', '--key', 'secret').exit;
  expect(code).toBe(0);
  expect(output).toContain('\nrank: 24\n');
  expect(output).not.toMatch(/secret|run /);
});

test('the server’s stop command ends a run, with its reason', async () => {
  await using server = await listen();
  const { exit } = startTrainer(server.url, '--steps', '1000000');
  await Promise.race([server.steps(5), exit]);
  const run = server.received.starts[0]?.run as string;
  const command = { id: crypto.randomUUID(), run, kind: 'stop', reason: 'the loss is lost' };
  expect(await server.received.socket?.emitWithAck('command', command)).toEqual({ ok: true });
  expect((await exit).code).toBe(0);
  expect(server.received.finishes).toMatchObject([{ run, status: 'stopped', reason: 'the loss is lost' }]);
  expect(server.received.steps.map(({ step }) => step)).toEqual(server.received.steps.map((_, at) => at));
});

test('a run that is stopped writes a checkpoint first, reports its path, and has declared its policy', async () => {
  await using server = await listen();
  const checkpoint = join(folder, 'stopped-early.safetensors');
  const { exit } = startTrainer(server.url, '--steps', '1000000', '--on-critical', 'stop', '--checkpoint', checkpoint);
  await Promise.race([server.steps(5), exit]);
  const done = await server.command({ kind: 'stop' });
  expect((await exit).code).toBe(0);
  const made = (server.received.steps.at(-1)?.step ?? 0) + 1;
  expect(done).toMatchObject({ result: `stopped after ${made} steps; checkpoint ${checkpoint}`, error: null });
  expect((await readCheckpoint(checkpoint)).about).toMatchObject({ steps: made, lrFactor: 1 });
  expect(server.received.starts[0]?.policy).toEqual({ warning: { kind: 'observe' }, critical: { kind: 'stop' } });
});

test('a reduced learning rate applies from the next step on, also after resuming from the checkpoint written then', async () => {
  await using server = await listen();
  const checkpoint = join(folder, 'reduced.safetensors');
  const keep = ['--checkpoint', checkpoint, '--checkpoint-every', '0'];
  const training = ['--steps', '1000000', '--schedule', 'constant', '--warmup', '0', '--lr', '0.01'];
  const { child, exit } = startTrainer(server.url, ...training, ...keep);
  await Promise.race([server.steps(5), exit]);
  const done = await server.command({ kind: 'reduce-lr', factor: 0.5 });
  const [, at] =
    /^learning rate x0\.5 from step (\d+) on; checkpoint \S+ after \1 steps$/.exec(done?.result ?? '') ?? [];
  const from = Number(at);
  await server.steps(from + 20);
  child.kill('SIGKILL'); // the checkpoint is the one written then
  await exit;
  const first = [...server.received.steps];
  expect(first.map(({ lr }) => lr)).toEqual(first.map(({ step }) => (step < from ? 0.01 : 0.005)));
  expect((await readCheckpoint(checkpoint)).about).toMatchObject({ steps: from, lrFactor: 0.5 });

  await spawnTrainer('--resume', checkpoint, '--server', server.url, '--steps', `${from + 20}`).exit;
  const second = server.received.steps.slice(first.length);
  expect(second.map(({ step, lr, loss }) => [step, lr, loss])).toEqual(
    first.slice(from, from + 20).map(({ step, lr, loss }) => [step, lr, loss]),
  );
});

test('a checkpoint is written when a command asks for it, and refused by a run that writes none', async () => {
  await using server = await listen();
  const checkpoint = join(folder, 'asked-for.safetensors');
  const { child, exit } = startTrainer(
    server.url,
    '--steps',
    '1000000',
    '--checkpoint',
    checkpoint,
    '--checkpoint-every',
    '0',
  );
  await Promise.race([server.steps(5), exit]);
  const done = await server.command({ kind: 'checkpoint' });
  const { steps } = (await readCheckpoint(checkpoint)).about;
  expect(done).toMatchObject({ result: `checkpoint ${checkpoint} after ${steps} steps`, error: null });
  child.kill('SIGTERM');
  expect((await exit).output).toContain(`after ${steps} steps (ada: it rises)`);

  await using other = await listen();
  const without = startTrainer(other.url, '--steps', '1000000', '--no-checkpoint');
  await Promise.race([other.steps(5), without.exit]);
  expect(await other.command({ kind: 'checkpoint' })).toMatchObject({
    error: expect.stringContaining('--no-checkpoint'),
  });
  without.child.kill('SIGTERM');
  await without.exit;
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends the run after the current step, as stopped', async (signal) => {
  await using server = await listen();
  const { child, exit } = startTrainer(server.url, '--steps', '1000000');
  await Promise.race([server.steps(5), exit]);
  child.kill(signal);
  const { code, output } = await exit;
  expect(code).toBe(0);
  expect(output).toContain(`stopped: interrupted by ${signal}`);
  expect(server.received.finishes).toMatchObject([{ status: 'stopped', reason: `interrupted by ${signal}` }]);
});

test('a run whose loss is not finite reports that step, and fails', async () => {
  await using server = await listen();
  const { code } = await startTrainer(server.url, '--lr', '1e30', '--warmup', '0', '--steps', '50').exit;
  expect(code).toBe(1);
  const last = server.received.steps.at(-1);
  expect(last?.loss).not.toSatisfy(Number.isFinite);
  expect(server.received.finishes).toMatchObject([
    { status: 'failed', reason: `loss is not finite at step ${last?.step}` },
  ]);
});

test('an error that the user can fix is printed without a stack', async () => {
  const { code, errors } = await spawnTrainer('--text', '/nowhere').exit;
  expect(code).toBe(1);
  expect(errors).toBe('error: --text: there is no /nowhere\n');
});
