import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { decodeSteps, type RunFinish, type RunStart, type StepEvent } from '@evenkeel/protocol';
import { build, type PluginBuild } from 'esbuild';
import { Server, type Socket } from 'socket.io';
import { afterAll, beforeAll, expect, test } from 'vitest';

// The trainer as a process of its own, as `evenkeel demo` runs it, against a socket.io server that keeps what it hears.

let folder: string;
beforeAll(async () => {
  const modules = join(import.meta.dirname, '../node_modules'); // from below here its imports are found
  await mkdir(modules, { recursive: true });
  folder = await mkdtemp(join(modules, '.test-'));
  await build({
    stdin: {
      contents: "import { trainCommand } from './command.ts'; await trainCommand().parseAsync();",
      resolveDir: import.meta.dirname,
    },
    outfile: join(folder, 'main.mjs'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    conditions: ['source'],
    plugins: [{ name: 'npm packages stay outside', setup: keepOutside }],
  });
});
afterAll(() => rm(folder, { recursive: true }));

function keepOutside({ onResolve }: PluginBuild): void {
  onResolve({ filter: /^[^./]/ }, ({ path }) => (path.startsWith('@evenkeel/') ? null : { path, external: true }));
}

/** A server that takes everything and remembers it. */
async function listen() {
  const http = createServer();
  const io = new Server(http, { transports: ['websocket'] });
  const heard = {
    starts: [] as RunStart[],
    steps: [] as StepEvent[],
    finishes: [] as RunFinish[],
    socket: null as Socket | null,
  };
  const waiting: { enough: () => boolean; done: () => void }[] = [];
  io.of('/ingest').on('connection', (socket) => {
    heard.socket = socket;
    socket.onAny((event: string, payload, reply: (ack: { ok: true }) => void) => {
      if (event === 'run:start') heard.starts.push(payload);
      if (event === 'steps') heard.steps.push(...decodeSteps(payload).steps);
      if (event === 'run:finish') heard.finishes.push(payload);
      reply({ ok: true });
      for (const { enough, done } of waiting) if (enough()) done();
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    heard,
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    steps: (count: number) =>
      new Promise<void>((done) => waiting.push({ enough: () => heard.steps.length >= count, done })),
    [Symbol.asyncDispose]: async () => void (await io.close()),
  };
}

const TINY = ['--layers', '1', '--heads', '2', '--dim', '8', '--context', '8', '--micro-batches', '2'];

function startTrainer(url: string, ...flags: string[]) {
  const args = [join(folder, 'main.mjs'), '--server', url, ...TINY, ...flags];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 30_000 });
  let output = '';
  child.stdout.on('data', (part) => {
    output += part;
  });
  const exit = once(child, 'close').then(([code]) => ({ code, output }));
  return { child, exit };
}

test('every step of a run reaches the server, with the names of the layers, and its end', async () => {
  await using server = await listen();
  const { exit } = startTrainer(server.url, '--steps', '30', '--project', 'demo', '--name', 'tiny', '--tags', 'a,b');
  const { code, output } = await exit;
  expect(code).toBe(0);
  expect(output).toContain('finished');

  const { starts, steps, finishes } = server.heard;
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

test('the server’s stop command ends a run, with its reason', async () => {
  await using server = await listen();
  const { exit } = startTrainer(server.url, '--steps', '1000000');
  await Promise.race([server.steps(5), exit]);
  const run = server.heard.starts[0]?.run as string;
  const command = { id: crypto.randomUUID(), run, kind: 'stop', reason: 'the loss is lost' };
  expect(await server.heard.socket?.emitWithAck('command', command)).toEqual({ ok: true });
  expect((await exit).code).toBe(0);
  expect(server.heard.finishes).toMatchObject([{ run, status: 'stopped', reason: 'the loss is lost' }]);
  expect(server.heard.steps.map(({ step }) => step)).toEqual(server.heard.steps.map((_, at) => at));
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends the step in hand and closes the run as stopped', async (signal) => {
  await using server = await listen();
  const { child, exit } = startTrainer(server.url, '--steps', '1000000');
  await Promise.race([server.steps(5), exit]);
  child.kill(signal);
  const { code, output } = await exit;
  expect(code).toBe(0);
  expect(output).toContain(`stopped: interrupted by ${signal}`);
  expect(server.heard.finishes).toMatchObject([{ status: 'stopped', reason: `interrupted by ${signal}` }]);
});

test('a run whose loss is not finite is told with that step, and fails', async () => {
  await using server = await listen();
  const { code } = await startTrainer(server.url, '--lr', '1e30', '--warmup', '0', '--steps', '50').exit;
  expect(code).toBe(1);
  const last = server.heard.steps.at(-1);
  expect(last?.loss).not.toSatisfy(Number.isFinite);
  expect(server.heard.finishes).toMatchObject([
    { status: 'failed', reason: `loss is not finite at step ${last?.step}` },
  ]);
});

test('what a person can mend is told without a stack', async () => {
  const child = spawn(process.execPath, [join(folder, 'main.mjs'), '--text', '/nowhere'], { timeout: 30_000 });
  let errors = '';
  child.stderr.on('data', (part) => {
    errors += part;
  });
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(errors).toBe('error: --text: there is no /nowhere\n');
});
