import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

// Finds the services that some tests need, once for all test files. A test asks with `inject(…)` and skips itself
// where the answer is null; what is missing is printed at the start, so that no skip goes unseen.

declare module 'vitest' {
  interface ProvidedContext {
    /** A PostgreSQL server whose role may create databases: EVENKEEL_TEST_DATABASE_URL, or one started here. */
    postgresUrl: string | null;
    /** A Chromium executable: EVENKEEL_TEST_CHROMIUM, or one on the machine. */
    chromium: string | null;
    python: string | null;
    /** What tests of a database that fails need: servers of their own to kill, disks of their own to fill. */
    faults: Faults;
  }
}

interface Faults {
  /** The folder of PostgreSQL's own programs, and the user that they run as. */
  postgres: { bin: string; user: { uid?: number; gid?: number } } | null;
  /** The commands, each with its first arguments, that mount and unmount. */
  mount: { mount: string[]; umount: string[] } | null;
  /** Limits the size of the files that a process may write. */
  prlimit: string | null;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await findPostgres();
  const chromium =
    process.env.EVENKEEL_TEST_CHROMIUM ?? findExecutable(['chromium', 'chromium-browser', 'google-chrome']);
  const python = findExecutable(['python3']);
  project.provide('postgresUrl', postgres.url);
  project.provide('chromium', chromium);
  project.provide('python', python);
  const faults = findFaults();
  project.provide('faults', faults);
  const skipped = [];
  if (!postgres.url) skipped.push('without PostgreSQL: the database suite on PostgreSQL (PGlite is tested)');
  if (!chromium) skipped.push('without Chromium: the browser tests');
  if (!python) skipped.push('without Python: the protocol client written from its specification');
  if (!faults.postgres) skipped.push('without the programs of a PostgreSQL server: the tests that kill and pause one');
  if (!faults.mount) skipped.push('without the right to mount a tmpfs: the tests of a full disk');
  if (!faults.prlimit) skipped.push('without prlimit: the test of an embedded database that hangs');
  for (const what of skipped) console.log(`SKIPPED ${what}`);
  if (process.env.CI && skipped.length > 0) throw new Error('on CI nothing may be skipped');
  return postgres.stop;
}

function findExecutable(names: readonly string[]): string | null {
  const folders = (process.env.PATH ?? '').split(':');
  const found = folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
  return found ?? null;
}

function findFaults(): Faults {
  const bin = findPostgresBinaries();
  const user = unprivilegedUser();
  return {
    postgres: bin !== null && user !== null ? { bin, user } : null,
    mount: findMount(),
    prlimit: findExecutable(['prlimit']),
  };
}

/** By trying: root may mount, but not in every container, and on some machines `sudo` may without a password. */
function findMount(): Faults['mount'] {
  if (process.platform !== 'linux') return null;
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-mount-'));
  const mayMount = (prefix: string[]) => {
    const [command = '', ...args] = [...prefix, 'mount'];
    try {
      execFileSync(command, [...args, '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
    } catch {
      return false;
    }
    const [undo = '', ...undoArgs] = [...prefix, 'umount'];
    execFileSync(undo, [...undoArgs, folder], { stdio: 'ignore' });
    return true;
  };
  const prefix = [[], ['sudo', '-n']].find(mayMount);
  rmdirSync(folder);
  return prefix ? { mount: [...prefix, 'mount'], umount: [...prefix, 'umount'] } : null;
}

interface Postgres {
  url: string | null;
  stop: () => Promise<void>;
}

async function findPostgres(): Promise<Postgres> {
  const url = process.env.EVENKEEL_TEST_DATABASE_URL ?? null;
  const bin = findPostgresBinaries();
  if (url || !bin) return { url, stop: async () => {} };
  return startPostgres(bin);
}

function findPostgresBinaries(): string | null {
  const initdb = findExecutable(['initdb']);
  if (initdb) return join(initdb, '..');
  const root = '/usr/lib/postgresql'; // Debian keeps the server's binaries off the PATH
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(root, version, 'bin')).find((path) => existsSync(join(path, 'initdb'))) ?? null;
}

async function startPostgres(bin: string): Promise<Postgres> {
  const user = unprivilegedUser();
  if (!user) return { url: null, stop: async () => {} };
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-postgres-'));
  chmodSync(folder, 0o777);
  const data = join(folder, 'data');
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-N'], { ...user, cwd: folder });
  const port = await freePort();
  const options = ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'];
  const server = spawn(join(bin, 'postgres'), options, { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  await new Promise<void>((resolve, reject) => {
    server.once('exit', (code) => reject(new Error(`PostgreSQL ended with code ${code} as it started`)));
    server.stderr.on('data', (chunk) => String(chunk).includes('ready to accept connections') && resolve());
  });
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    stop: async () => {
      server.removeAllListeners('exit');
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGINT');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root; as root it is started as its own user. */
function unprivilegedUser(): { uid?: number; gid?: number } | null {
  if (process.getuid?.() !== 0) return {};
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return null;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
