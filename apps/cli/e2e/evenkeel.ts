import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { makeDataDir } from '@evenkeel/db/testing-template';

const PROGRAM = fileURLToPath(new URL('../bin/evenkeel.mjs', import.meta.url));

export interface EvenkeelProcess extends AsyncDisposable {
  child: ChildProcess;
  /** All it has printed so far, both streams. */
  output(): string;
  /** What it has printed so far on standard output alone. */
  facts(): string;
  /** Resolves with the first match in the output; rejects if the process ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves with the exit code, null where a signal ended it. */
  ended: Promise<number | null>;
}

/** Starts the built command as a process of its own. */
export function evenkeel(args: readonly string[], env: Record<string, string> = {}): EvenkeelProcess {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  let facts = '';
  child.stdout.on('data', (chunk) => {
    facts += chunk;
  });
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk;
      for (const listener of listeners) listener();
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const printed = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(text);
        if (match) resolve(match);
      };
      listeners.add(look);
      look();
      void ended.then((code) => reject(new Error(`evenkeel ended with ${code} before printing ${pattern}:\n${text}`)));
    });
  return {
    child,
    output: () => text,
    facts: () => facts,
    printed,
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/**
 * Starts `evenkeel serve` and resolves with its address once it listens. Its database is there before: of the first start
 * there are tests of their own.
 */
export async function serve(dataDir: string, port = '0', env: Record<string, string> = {}) {
  if (!env.DATABASE_URL) await makeDataDir(dataDir);
  const server = evenkeel(['serve', '--json', '--port', port, '--data-dir', dataDir], env);
  const [, url = ''] = await server.printed(/"url":"([^"]+)"/);
  return { ...server, url };
}
