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
 * Bundles a program, given as TypeScript that imports from the folder `importsFrom`, as the command line is bundled. It is alone in a
 * folder of its own, from which npm's packages are found.
 */
export async function bundleProgram(importsFrom: string, source: string) {
  const modules = join(import.meta.dirname, '../node_modules');
  await mkdir(modules, { recursive: true });
  const folder = await mkdtemp(join(modules, '.test-'));
  const path = join(folder, 'main.mjs');
  await build({
    stdin: { contents: source, resolveDir: importsFrom },
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

/** A server that acknowledges and remembers everything. */
export async function listen() {
  const http = createServer();
  const io = new Server(http, { transports: ['websocket'] });
  const received = {
    starts: [] as RunStart[],
    steps: [] as StepEvent[],
    finishes: [] as RunFinish[],
    dones: [] as CommandDone[],
    socket: null as Socket | null,
  };
  const waiting = new Set<() => void>();
  io.of('/ingest').on('connection', (socket) => {
    received.socket = socket;
    socket.onAny((event: string, payload, reply: (ack: { ok: true }) => void) => {
      if (event === 'run:start') received.starts.push(payload);
      if (event === 'steps') received.steps.push(...decodeSteps(payload).steps);
      if (event === 'command:done') received.dones.push(payload);
      if (event === 'run:finish') received.finishes.push(payload);
      reply({ ok: true });
      for (const check of waiting) check();
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    received,
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    /** Resolves when so many steps have been received. */
    steps: (count: number) => new Promise<void>((done) => waiting.add(() => received.steps.length >= count && done())),
    /** Sends a command to the run that has started; resolves to its result. */
    command: async (action: Action): Promise<CommandDone | undefined> => {
      const command = { ...action, id: randomUUID(), run: received.starts[0]?.run, by: 'ada', reason: 'it rises' };
      const result = () => received.dones.find(({ id }) => id === command.id);
      const done = new Promise<void>((resolve) => waiting.add(() => result() && resolve()));
      const answer = await received.socket?.emitWithAck('command', command);
      if (answer?.ok === true) await done;
      return result();
    },
    [Symbol.asyncDispose]: async () => void (await io.close()),
  };
}

/** Ten aliases of ten aliases … of a text: 2 KB that expand to gigabytes. */
const BILLION = ['l0: &l0 [lol]', ...Array.from({ length: 9 }, (_, at) => level(at + 1)), ''].join('\n');
function level(at: number): string {
  return `l${at}: &l${at} [${Array.from({ length: 10 }, () => `*l${at - 1}`).join(', ')}]`;
}

/** YAML that is refused, by what it is, and what the message says beside file and line. */
export const UNSOUND_YAML: readonly [title: string, source: string, message: string][] = [
  ['of aliases of aliases', BILLION, 'line 2: the aliases from here on expand to too much'],
  ['of many aliases', `a: &a x\nb: [\n${' *a,\n'.repeat(2_000)} ]`, 'line 1003: more than 1000 aliases'],
  [
    'of an alias without an anchor',
    'layers: 2\nseed: *nobody',
    'line 2: the alias *nobody refers to nothing before it',
  ],
  ['of an alias within its own anchor', 'layers: 2\ntags: &a [*a]', 'line 2: the alias *a refers to nothing before it'],
  ['nested deep, on one line', `layers: 2\ntags: ${'['.repeat(100_000)}`, 'line 2: lists and mappings are nested'],
  [
    'nested deep, in lines',
    `a:\n${Array.from({ length: 300 }, (_, at) => `${' '.repeat(at)}b:\n`).join('')}`,
    'nested',
  ],
  ['nested deep, in dashes', `a:\n  ${'- '.repeat(50_000)}1`, 'line 2: lists and mappings are nested'],
  ['with a key twice', 'layers: 2\nlayers: 3', 'line 2: Map keys must be unique'],
  ['with a key that is no text', 'layers: 2\n? [a]\n: 3', 'line 2: '],
  ['with a tag that nobody knows', 'layers: 2\nseed: !!js/function "x"', 'line 2: Unresolved tag'],
  ['of two documents', 'layers: 2\n---\nlayers: 3', 'line 2: '],
  ['that breaks off', 'layers: 2\ntags: [a, "b', 'line 2: '],
  ['with an unknown escape', 'layers: 2\nname: "\\q"', 'line 2: '],
  ['longer than any', `layers: 2\n${'# so long\n'.repeat(30_000)}`, 'is larger than 256 KiB'],
];
