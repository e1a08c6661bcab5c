import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { familyTime } from '../bench/process-usage.ts';
import { Failure } from '../failure.ts';

/** Making some 65 tables takes a while. */
const START_MS = 300_000;
const LOOK_MS = 250;

/** The tracking server of MLflow as `mlflow server` starts it, on this machine. Disposed, it is killed. */
export class MlflowServer implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /**
   * @param python of an environment that has the package mlflow.
   * @param store a URL of SQLAlchemy.
   * @param folder where it may write.
   * @throws Failure where it does not start.
   */
  static async start(python: string, store: string, folder: string): Promise<MlflowServer> {
    const port = await freePort();
    const child = spawn(
      python,
      ['-m', 'mlflow', 'server', '--host', '127.0.0.1', '--port', `${port}`, '--backend-store-uri', store],
      { cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] }, // a group, as it starts workers
    );
    const path = join(folder, 'mlflow.log');
    const log = createWriteStream(path);
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    const server = new MlflowServer(child, `http://127.0.0.1:${port}`);
    let problem = 'did not answer in time';
    child.once('error', ({ message }) => {
      problem = message;
    });
    const until = Date.now() + START_MS;
    while (Date.now() < until && child.pid !== undefined && child.exitCode === null) {
      if (await isUp(server.url)) return server;
      await sleep(LOOK_MS);
    }
    if (child.exitCode !== null) problem = `ended with exit code ${child.exitCode}`;
    await server[Symbol.asyncDispose]();
    throw new Failure(`${python} -m mlflow server: ${problem}\n${(await readFile(path, 'utf8')).slice(-2_000)}`);
  }

  /** Of the server and its workers, in milliseconds. */
  cpuMs(): number {
    return familyTime(this.#child.pid ?? 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    process.kill(-pid, 'SIGKILL');
    await ended;
  }
}

async function isUp(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health`).catch(() => null);
  await answer?.body?.cancel();
  return answer?.ok === true;
}

/** MLflow listens on none by itself that it would name. */
async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a server listens on no port');
  return address.port;
}
