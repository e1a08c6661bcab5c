import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { decodeSteps, type RunFinish, type RunStart, type StepEvent } from '@evenkeel/protocol';
import { build, type PluginBuild } from 'esbuild';
import { Server, type Socket } from 'socket.io';

/**
 * Bundles a program, given as TypeScript that imports from this folder, as the command line is bundled. It lies alone in
 * a folder of its own, from which npm's packages are found.
 */
export async function bundleProgram(source: string) {
  const modules = join(import.meta.dirname, '../node_modules');
  await mkdir(modules, { recursive: true });
  const folder = await mkdtemp(join(modules, '.test-'));
  const path = join(folder, 'main.mjs');
  await build({
    stdin: { contents: source, resolveDir: import.meta.dirname },
    outfile: path,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    conditions: ['source'],
    plugins: [{ name: 'npm packages stay outside', setup: keepOutside }],
  });
  return { folder, path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

function keepOutside({ onResolve }: PluginBuild): void {
  onResolve({ filter: /^[^./]/ }, ({ path }) => (path.startsWith('@evenkeel/') ? null : { path, external: true }));
}

/** A server that takes everything and remembers it. */
export async function listen() {
  const http = createServer();
  const io = new Server(http, { transports: ['websocket'] });
  const heard = {
    starts: [] as RunStart[],
    steps: [] as StepEvent[],
    finishes: [] as RunFinish[],
    socket: null as Socket | null,
  };
  const waiting = new Set<() => void>();
  io.of('/ingest').on('connection', (socket) => {
    heard.socket = socket;
    socket.onAny((event: string, payload, reply: (ack: { ok: true }) => void) => {
      if (event === 'run:start') heard.starts.push(payload);
      if (event === 'steps') heard.steps.push(...decodeSteps(payload).steps);
      if (event === 'run:finish') heard.finishes.push(payload);
      reply({ ok: true });
      for (const look of waiting) look();
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    heard,
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    /** Resolves when so many steps have been heard. */
    steps: (count: number) => new Promise<void>((done) => waiting.add(() => heard.steps.length >= count && done())),
    [Symbol.asyncDispose]: async () => void (await io.close()),
  };
}
