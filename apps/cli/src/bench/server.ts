import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { residentBytes, threadTimes } from './process-usage.ts';

const SAMPLE_MS = 100;

interface ServerSettings {
  /** The source tree whose built server is started. */
  tree: string;
  dataDir: string;
  databaseUrl: string | null;
  /** A folder for a CPU profile. */
  profile?: string | null;
}

/** The server under load, a process of its own. Disposed, it is killed: what waits in it is of no use any more. */
export class BenchServer implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess & { pid: number };
  readonly #ended: Promise<unknown>;
  readonly #timer: NodeJS.Timeout;
  #peakBytes = 0;

  private constructor(child: ChildProcess & { pid: number }, url: string, ended: Promise<unknown>) {
    this.#child = child;
    this.url = url;
    this.#ended = ended;
    this.#timer = setInterval(() => {
      this.#peakBytes = Math.max(this.#peakBytes, this.residentBytes);
    }, SAMPLE_MS);
  }

  static async start({ tree, dataDir, databaseUrl, profile = null }: ServerSettings): Promise<BenchServer> {
    const program = join(tree, 'apps/cli/bin/evenkeel.mjs');
    const profiling = profile ? ['--cpu-prof', '--cpu-prof-dir', profile] : [];
    const { EVENKEEL_ACCESS_TOKEN: _, ...env } = process.env;
    const child = spawn(
      process.execPath,
      [...profiling, program, 'serve', '--json', '--port', '0', '--data-dir', dataDir],
      {
        env: { ...env, NODE_ENV: 'production', DATABASE_URL: databaseUrl ?? '' },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const ended = once(child, 'exit');
    printErrors(child);
    const url = await Promise.race([printedUrl(child), ended.then(() => null)]);
    if (url === null || !hasPid(child)) throw new Error(`the server of ${tree} ended as it started`);
    return new BenchServer(child, url, ended);
  }

  /** Right now, in bytes. */
  get residentBytes(): number {
    return residentBytes(this.#child.pid) ?? 0;
  }

  get peakBytes(): number {
    return this.#peakBytes;
  }

  /**
   * CPU time in milliseconds. An embedded database runs in a thread of the server: the busiest beside the main one,
   * which alone the others (V8's collector among them) are counted with.
   */
  cpu(isEmbedded: boolean): { serverMs: number; databaseMs: number } {
    const { pid } = this.#child;
    const times = threadTimes(pid);
    const others = [...times].filter(([thread]) => thread !== pid).map(([, time]) => time);
    const total = [...times.values()].reduce((sum, time) => sum + time, 0);
    const databaseMs = isEmbedded ? Math.max(0, ...others) : 0;
    return { serverMs: total - databaseMs, databaseMs };
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#child.kill('SIGTERM');
    await this.#ended;
  }

  kill(): void {
    clearInterval(this.#timer);
    this.#child.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.#ended;
  }
}

function hasPid(child: ChildProcess): child is ChildProcess & { pid: number } {
  return child.pid !== undefined;
}

/** Of the server's log, which has a line for each emitter that connects. */
function printErrors({ stderr }: ChildProcess): void {
  if (!stderr) return;
  createInterface({ input: stderr }).on('line', (line) => {
    if (/^\S+ error /.test(line)) console.error(line);
  });
}

async function printedUrl({ stdout }: ChildProcess): Promise<string | null> {
  let text = '';
  return new Promise((resolve) => {
    stdout?.on('data', (chunk) => {
      text += chunk;
      const [, url] = /"url":"([^"]+)"/.exec(text) ?? [];
      if (url) resolve(url);
    });
  });
}
