import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

const PROGRAM = join(import.meta.dirname, 'serve.mjs');

interface Settings {
  dataDir: string;
  port?: number;
  accessToken?: string | null;
}

export interface ServerProcess extends AsyncDisposable {
  url: string;
  child: ChildProcess;
  /** Resolves when the process is gone. */
  ended: Promise<void>;
}

/** Starts a server as a process of its own and resolves once it listens; what it reports as errors is printed. */
export async function serve(settings: Settings): Promise<ServerProcess> {
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (line) => resolve(JSON.parse(String(line)).url));
    void ended.then(() => reject(new Error('the server ended before it listened')));
  });
  return {
    url,
    child,
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
