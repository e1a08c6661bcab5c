import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, realpath, rename, rm, symlink } from 'node:fs/promises';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, ask, listen } from './lock-socket.ts';

// PGlite takes no lock on its directory, and two processes in one lose data. Ours is a folder of unix sockets: who
// listens there is alive, by the kernel's word, and `kill -9` ends that at once. No process id or time can be stale.
//
// A starter publishes a socket that listens already, then looks at the others, and holds the directory once it sees no
// other alive. Of two that see each other the smaller name waits and the larger withdraws. Two can never both hold: of
// any two published sockets, the owner of the later one sees the earlier one. Anyone may remove a dead socket, since
// no name is used twice.

/** Who holds a data directory. */
export interface Holder {
  pid: number;
  /** Where it serves, once it does. */
  url: string | null;
}

/** Another process holds the data directory. */
export class DirectoryHeldError extends Error {
  readonly pid: number;
  readonly url: string | null;

  constructor(dataDir: string, { pid, url }: Holder) {
    super(`${dataDir} is in use by process ${pid}${url ? `, which serves ${url}` : ''}`);
    this.name = 'DirectoryHeldError';
    this.pid = pid;
    this.url = url;
  }
}

/** Freed by `release`, or by the end of the process. */
export interface DirectoryLock {
  announce(url: string): void;
  release(): Promise<void>;
}

interface Claim {
  name: string;
  answer: Answer;
  server: Server;
}

interface Rival extends Answer {
  name: string;
}

const FOLDER = 'lock';
const PUBLISHED = '.sock';
const UNPUBLISHED = '.new';
/** Bytes of the longest path of a unix socket on macOS, less its closing NUL; Linux has four more. */
const MAX_SOCKET_PATH = 103;
/** Bytes of the longest name in the folder. */
const MAX_NAME = 40;

/** @throws DirectoryHeldError */
export async function lockDirectory(dataDir: string): Promise<DirectoryLock> {
  if (process.platform === 'win32') return lockPipe(dataDir);
  const folder = join(resolve(dataDir), FOLDER);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return withShortPath(folder, async (path) => {
    for (;;) {
      const lock = await tryLock(dataDir, folder, path);
      if (lock) return lock;
      await delay(10 + Math.random() * 40);
    }
  });
}

/** @returns who holds the directory, or null where nobody does. */
export async function holderOf(dataDir: string): Promise<Holder | null> {
  if (process.platform === 'win32') return holderOfPipe(dataDir);
  const rivals = await withShortPath(join(resolve(dataDir), FOLDER), (path) => livingRivals(path));
  const holder = rivals.find(({ holding }) => holding);
  return holder ? { pid: holder.pid, url: holder.url } : null;
}

/** @returns the lock, or null where a rival has the better claim and may yet fail. */
async function tryLock(dataDir: string, folder: string, path: string): Promise<DirectoryLock | null> {
  const claim = await publish(path);
  let held = false;
  try {
    for (;;) {
      const rivals = await livingRivals(path, claim.name);
      const holder = rivals.find(({ holding }) => holding);
      if (holder) throw new DirectoryHeldError(dataDir, holder);
      if (rivals.some(({ name }) => name < claim.name)) return null;
      held = rivals.length === 0;
      if (held) return hold(claim, () => withdraw(folder, claim));
      await delay(10);
    }
  } finally {
    if (!held) await withdraw(folder, claim);
  }
}

async function publish(path: string): Promise<Claim> {
  const name = `${process.pid}-${randomBytes(8).toString('hex')}`;
  const answer: Answer = { pid: process.pid, url: null, holding: false };
  const server = await listen(join(path, name + UNPUBLISHED), answer);
  await rename(join(path, name + UNPUBLISHED), join(path, name + PUBLISHED));
  return { name, answer, server };
}

function hold({ answer, server }: Pick<Claim, 'answer' | 'server'>, release?: () => Promise<void>): DirectoryLock {
  answer.holding = true;
  return {
    announce: (url) => {
      answer.url = url;
    },
    release: release ?? (async () => void server.close()),
  };
}

async function withdraw(folder: string, { name, server }: Claim): Promise<void> {
  await rm(join(folder, name + PUBLISHED), { force: true });
  server.close();
}

/** Every other socket whose process lives. Those of dead processes are removed. */
async function livingRivals(path: string, own?: string): Promise<Rival[]> {
  const files = await readdir(path).catch(orNothing);
  const names = files.filter((file) => file.endsWith(PUBLISHED)).map((file) => file.slice(0, -PUBLISHED.length));
  const rivals = await Promise.all(names.filter((name) => name !== own).map((name) => askRival(path, name)));
  return rivals.filter((rival) => rival !== null);
}

async function askRival(path: string, name: string): Promise<Rival | null> {
  const answer = await ask(join(path, name + PUBLISHED));
  if (answer === null) await rm(join(path, name + PUBLISHED), { force: true });
  if (answer === null || answer !== 'silent') return answer && { ...answer, name };
  return { name, pid: Number.parseInt(name, 10), url: null, holding: true };
}

function orNothing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

/** Reaches a folder whose sockets' paths would be too long through a link in the system's folder for such. */
async function withShortPath<Result>(folder: string, use: (path: string) => Promise<Result>): Promise<Result> {
  if (Buffer.byteLength(folder) + MAX_NAME < MAX_SOCKET_PATH) return use(folder);
  const shorter = await mkdtemp(join(tmpdir(), 'evenkeel-'));
  try {
    await symlink(folder, join(shorter, FOLDER));
    return await use(join(shorter, FOLDER));
  } finally {
    await rm(shorter, { recursive: true });
  }
}

/** On Windows a pipe's name is free as soon as its process ends. */
async function lockPipe(dataDir: string): Promise<DirectoryLock> {
  const path = await pipeOf(dataDir);
  const answer: Answer = { pid: process.pid, url: null, holding: true };
  try {
    return hold({ answer, server: await listen(path, answer) });
  } catch (error) {
    const holder = await holderOfPipe(dataDir);
    throw holder ? new DirectoryHeldError(dataDir, holder) : error;
  }
}

async function holderOfPipe(dataDir: string): Promise<Holder | null> {
  const answer = await ask(await pipeOf(dataDir));
  return answer === 'silent' ? { pid: 0, url: null } : answer;
}

async function pipeOf(dataDir: string): Promise<string> {
  const path = await realpath(dataDir).catch(() => resolve(dataDir));
  return `\\\\.\\pipe\\evenkeel-${createHash('sha256').update(path.toLowerCase()).digest('hex')}`;
}
