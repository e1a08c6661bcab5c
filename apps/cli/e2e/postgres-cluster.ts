import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@evenkeel/testing';
import { inject } from 'vitest';

export interface Cluster extends AsyncDisposable {
  url: string;
  /** Ends it as `pg_ctl stop -m fast` does, and starts it again. */
  restart(): Promise<void>;
  /** `kill -9` of every one of its processes. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Its processes stand still: connections stay open, and nothing is answered. */
  pause(): void;
  resume(): void;
  /** Whether new transactions may only read. */
  setReadOnly(value: 'on' | 'off'): void;
}

/** A PostgreSQL server of this test's own. Only where `inject('faults').postgres` is known. */
export async function startCluster(): Promise<Cluster> {
  const found = inject('faults').postgres;
  if (!found) throw new Error('this machine has no PostgreSQL server');
  const { bin, user } = found;
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-cluster-'));
  chmodSync(folder, 0o777);
  const data = join(folder, 'data');
  const place = { ...user, cwd: folder };
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-N'], { ...place, stdio: 'ignore' });
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const flags = ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'];
  const launch = () => spawn(join(bin, 'postgres'), flags, { ...place, stdio: ['ignore', 'ignore', 'pipe'] });
  let server = launch();
  await accepting(server);
  const start = async () => {
    server = launch();
    await accepting(server);
  };
  const end = (signal: 'SIGINT' | 'SIGKILL') => {
    const ended = endOf(server);
    for (const pid of signal === 'SIGKILL' ? family(server) : [pidOf(server)]) send(pid, signal);
    return ended;
  };
  const signalAll = (signal: 'SIGSTOP' | 'SIGCONT') => {
    for (const pid of family(server)) send(pid, signal);
  };
  return {
    url,
    start,
    restart: async () => {
      await end('SIGINT');
      await start();
    },
    kill: () => end('SIGKILL'),
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    setReadOnly: (value) => {
      appendFileSync(join(data, 'postgresql.conf'), `\ndefault_transaction_read_only = ${value}\n`);
      send(pidOf(server), 'SIGHUP');
    },
    [Symbol.asyncDispose]: async () => {
      if (server.exitCode === null && server.signalCode === null) {
        signalAll('SIGCONT');
        await end('SIGINT');
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function accepting(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    server.once('exit', (code) => reject(new Error(`PostgreSQL ended with code ${code}:\n${log}`)));
    server.stderr?.on('data', (chunk) => {
      log += chunk; // a line may come in parts
      if (log.includes('ready to accept connections')) resolve();
    });
  });
}

/** Resolves when it and its children, which may outlive it, are gone. */
async function endOf(server: ChildProcess): Promise<void> {
  await new Promise((resolve) => server.once('close', resolve)); // the children hold its standard error
}

/** The server, then its children: stopped in this order, it starts no new one. */
function family(server: ChildProcess): number[] {
  const pid = pidOf(server);
  const lines = execFileSync('ps', ['-ax', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return [pid, ...pairs.flatMap(([child = 0, parent]) => (parent === pid ? [child] : []))];
}

/** To a process that may have ended since it was listed: a child of a server that was killed ends by itself. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('PostgreSQL did not start');
  return pid;
}
