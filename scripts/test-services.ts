import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { freePort } from '../packages/testing/src/free-port.ts';
import { CLIENTS, findClient, HOW_TO_INSTALL_CLIENTS } from './clients.mjs';

// Finds the services that some tests need, once for all test files. A test asks with `inject(…)` and skips itself
// where the answer is null; what is missing is printed at the end, with the tests that it kept from running.

declare module 'vitest' {
  interface ProvidedContext {
    /** A PostgreSQL server whose role may create databases: EVENKEEL_TEST_DATABASE_URL, or one started here. */
    postgresUrl: string | null;
    /** A Chromium executable: EVENKEEL_TEST_CHROMIUM, or one on the machine. */
    chromium: string | null;
    python: string | null;
    /** By the requirements of a client of another tool, a Python that has it; null where that is not installed. */
    clients: Record<string, string | null>;
    /** Of all properties and random values of tests: EVENKEEL_TEST_SEED, which may be `random`. */
    seed: number;
    /** What this machine lacks, and which tests are skipped for it. */
    missing: string[];
    /** What tests of a database that fails need: servers of their own to kill, disks of their own to fill. */
    faults: Faults;
  }
}

const DEFAULT_SEED = 1;

interface Faults {
  /** The folder of PostgreSQL's own programs, and the user that they run as. */
  postgres: { bin: string; user: { uid?: number; gid?: number } } | null;
  /** The commands, each with its first arguments, that mount and unmount. */
  mount: { mount: string[]; umount: string[] } | null;
  /** Limits the size of the files that a process may write. */
  prlimit: string | null;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const seed = readSeed();
  const postgres = await findPostgres();
  const chromium =
    process.env.EVENKEEL_TEST_CHROMIUM || findExecutable(['chromium', 'chromium-browser', 'google-chrome']);
  const python = findExecutable(['python3']);
  project.provide('postgresUrl', postgres.url);
  project.provide('chromium', chromium);
  project.provide('python', python);
  const clients = Object.fromEntries(CLIENTS.map((requirements) => [requirements, findClient(requirements)]));
  project.provide('clients', clients);
  const faults = findFaults();
  project.provide('faults', faults);
  const skipped: string[] = [];
  if (!postgres.url) skipped.push('without PostgreSQL: the database suite on PostgreSQL (PGlite is tested)');
  if (!chromium) skipped.push('without Chromium: the browser tests');
  if (!python) skipped.push('without Python: the protocol client written from its specification');
  for (const [requirements, client] of Object.entries(clients))
    if (!client)
      skipped.push(`without the packages of ${requirements}: the tests of its client (${HOW_TO_INSTALL_CLIENTS})`);
  if (!faults.postgres) skipped.push('without the programs of a PostgreSQL server: the tests that kill and pause one');
  if (!faults.mount) skipped.push('without the right to mount a tmpfs: the tests of a full disk');
  if (!faults.prlimit) skipped.push('without prlimit: the test of an embedded database that hangs');
  project.provide('missing', skipped);
  project.provide('seed', seed);
  if (process.env.CI && skipped.length > 0) {
    await postgres.stop();
    throw new Error(`on CI nothing may be skipped: ${skipped.join('; ')}`);
  }
  return postgres.stop;
}

/** The same by default, so that what fails on one machine fails on all. */
function readSeed(): number {
  const given = process.env.EVENKEEL_TEST_SEED || String(DEFAULT_SEED);
  const seed = given === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  if (!Number.isInteger(seed)) throw new Error('EVENKEEL_TEST_SEED must be a whole number or "random"');
  console.log(`EVENKEEL_TEST_SEED=${seed}`);
  return seed;
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
  const url = process.env.EVENKEEL_TEST_DATABASE_URL || null;
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
    let log = '';
    server.once('exit', (code) => reject(new Error(`PostgreSQL ended with code ${code} as it started:\n${log}`)));
    server.stderr.on('data', (chunk) => {
      log += chunk; // a line may come in parts
      if (log.includes('ready to accept connections')) resolve();
    });
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
