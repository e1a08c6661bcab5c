import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  type Action,
  type CommandDone,
  decodeSteps,
  type RunFinish,
  type RunStart,
  type StepEvent,
} from '@evenkeel/protocol';
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
    dones: [] as CommandDone[],
    socket: null as Socket | null,
  };
  const waiting = new Set<() => void>();
  io.of('/ingest').on('connection', (socket) => {
    heard.socket = socket;
    socket.onAny((event: string, payload, reply: (ack: { ok: true }) => void) => {
      if (event === 'run:start') heard.starts.push(payload);
      if (event === 'steps') heard.steps.push(...decodeSteps(payload).steps);
      if (event === 'command:done') heard.dones.push(payload);
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
    /** Sends a command to the run that has started; resolves to what came of it. */
    command: async (action: Action): Promise<CommandDone | undefined> => {
      const command = { ...action, id: randomUUID(), run: heard.starts[0]?.run, by: 'ada', reason: 'it rises' };
      const ofIt = () => heard.dones.find(({ id }) => id === command.id);
      const done = new Promise<void>((resolve) => waiting.add(() => ofIt() && resolve()));
      const answer = await heard.socket?.emitWithAck('command', command);
      if (answer?.ok === true) await done;
      return ofIt();
    },
    [Symbol.asyncDispose]: async () => void (await io.close()),
  };
}
