import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writevSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MAX_ATTEMPT } from '@evenkeel/protocol';
import { recordHeader, SpoolReader, type SpoolRecord } from './spool-record.ts';

/** What the name of a spool file says. */
interface SpoolName {
  run: string;
  /** 0 where the server says which it is. */
  attempt: number;
  /** Who holds the file; pid 0 is nobody. */
  pid: number;
  /** When the holder was started, in ticks since its system was; 0 where that is not known. */
  started: number;
  random: string;
  host: string;
}

const NAME = /^([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})-(\d+)-(\d+)-(\d+)-([\da-f]+)@(.+)\.spool$/;
const HOST = hostname().replaceAll(/[^\w.-]/g, '_') || 'localhost';
/** A holder on another host shows that it lives by touching its file this often, in milliseconds. */
const TOUCH_INTERVAL = 30_000;
/** The age, in milliseconds since it was touched, from which on a file of another host counts as left by its holder. */
const ABANDONED_AFTER = 10 * TOUCH_INTERVAL;

function fileName({ run, attempt, pid, started, random, host }: SpoolName): string {
  return `${run}-${attempt}-${pid}-${started}-${random}@${host}.spool`;
}

/** Null for a file that is no spool file. */
function parseSpoolName(name: string): SpoolName | null {
  const [, run, attempt, pid, started, random, host] = NAME.exec(name) ?? [];
  if (!run || !random || !host) return null;
  return { run, attempt: Number(attempt), pid: Number(pid), started: Number(started), random, host };
}

const self = () => ({ pid: process.pid, started: startOf(process.pid) ?? 0, host: HOST });
const NOBODY = { pid: 0, started: 0, host: HOST };

/**
 * When a process was started, so that another one that got its number is not taken for it. Only Linux says so in a file;
 * null elsewhere, where a number that was given again keeps a file held until that process ends too.
 */
function startOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from the third on; the name before may have anything in it
    return Number(fields[19]);
  } catch {
    return null;
  }
}

function isAlive({ pid, started }: SpoolName): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) !== 'EPERM') return false; // a process of somebody else lives too
  }
  return started === 0 || (startOf(pid) ?? started) === started;
}

function codeOf(error: unknown): unknown {
  return Object(error).code;
}

/** A spool file in a folder. */
export interface StoredSpool {
  path: string;
  name: SpoolName;
  /** Whether a living process writes or sends it. */
  isHeld: boolean;
}

/** Bytes of the spool files of a folder. */
export function spoolBytes(folder: string): number {
  const sizes = namesIn(folder).map((file) => {
    if (!parseSpoolName(file)) return 0;
    return statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0; // it may be gone meanwhile
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** The spool files of a folder, in the order in which to send them; none where there is no such folder. */
export function listSpool(folder: string): StoredSpool[] {
  const stored: StoredSpool[] = [];
  for (const file of namesIn(folder)) {
    const name = parseSpoolName(file);
    const path = join(folder, file);
    if (name && isOwn(path)) stored.push({ path, name, isHeld: isHeld(path, name) });
  }
  return stored.sort((a, b) => inOrder(a.name, b.name));
}

/** By run and attempt; the ones that the server counts come last, in the order in which they were begun. */
function inOrder(a: SpoolName, b: SpoolName): number {
  const [first, second] = [a.attempt || MAX_ATTEMPT + 1, b.attempt || MAX_ATTEMPT + 1];
  return a.run.localeCompare(b.run) || first - second || a.random.localeCompare(b.random);
}

/** The later it is made, the greater it is in the order of letters. */
function timeOrdered(): string {
  return Date.now().toString(16).padStart(12, '0') + randomBytes(4).toString('hex');
}

/** A file of this user. What somebody else left in a shared folder is not sent in this one's name. */
function isOwn(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true && (process.getuid === undefined || found.uid === process.getuid());
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function isHeld(path: string, name: SpoolName): boolean {
  if (name.pid === 0) return false;
  if (name.host === HOST) return isAlive(name);
  try {
    return Date.now() - statSync(path).mtimeMs < ABANDONED_AFTER;
  } catch {
    return true; // it is gone, since another process was faster
  }
}

/** A spool file that this process holds. Every method throws what the file system throws. */
export class SpoolFile {
  readonly #folder: string;
  readonly #fd: number;
  #name: SpoolName;
  #size: number;
  #steps = 0;
  #touchedAt = Date.now();

  private constructor(folder: string, name: SpoolName, fd: number, size: number) {
    this.#folder = folder;
    this.#name = name;
    this.#fd = fd;
    this.#size = size;
  }

  static create(folder: string, { run, attempt }: Pick<SpoolName, 'run' | 'attempt'>): SpoolFile {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const name = { run, attempt, ...self(), random: timeOrdered() };
    const fd = openSync(join(folder, fileName(name)), 'wx+', 0o600); // a config may hold what is not for everybody
    return new SpoolFile(folder, name, fd, 0);
  }

  /** Takes a file that nobody holds; null where another process was faster. Renaming is what only one of two can do. */
  static claim(folder: string, { path, name }: StoredSpool): SpoolFile | null {
    const mine = { ...name, ...self() };
    try {
      renameSync(path, join(folder, fileName(mine)));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    }
    try {
      const fd = openSync(join(folder, fileName(mine)), constants.O_RDWR | (constants.O_NOFOLLOW ?? 0));
      const file = new SpoolFile(folder, mine, fd, fstatSync(fd).size);
      file.touch(Date.now());
      return file;
    } catch (error) {
      renameSync(join(folder, fileName(mine)), join(folder, fileName({ ...name, ...NOBODY }))); // nobody holds it again
      throw error;
    }
  }

  get path(): string {
    return join(this.#folder, fileName(this.#name));
  }

  /** In bytes. */
  get size(): number {
    return this.#size;
  }

  /** Steps that were appended. */
  get steps(): number {
    return this.#steps;
  }

  append(type: SpoolRecord['type'], payload: Buffer, count = 0): void {
    const header = recordHeader({ type, payload, count, before: this.#steps });
    const size = header.byteLength + payload.byteLength;
    let written = 0;
    try {
      written = writevSync(this.#fd, [header, payload], this.#size);
    } finally {
      if (written < size) ftruncateSync(this.#fd, this.#size); // no torn record in the middle
    }
    if (written < size) throw new Error(`only ${written} of ${size} bytes could be written`);
    this.#size += size;
    this.#steps += count;
    this.#touchedAt = Date.now();
  }

  /** @param from where a record begins, before which there are so many steps. */
  read(from = 0, known = 0): SpoolReader {
    return new SpoolReader(this.#fd, from, known);
  }

  /** Shows other hosts that this process lives, where that has not been seen for a while. */
  keepHeld(now: number): void {
    if (now - this.#touchedAt > TOUCH_INTERVAL) this.touch(now);
  }

  private touch(now: number): void {
    this.#touchedAt = now;
    futimesSync(this.#fd, now / 1_000, now / 1_000);
  }

  /** The server has all of it. */
  discard(): void {
    closeSync(this.#fd);
    unlinkSync(this.path);
  }

  /** Leaves the file to whoever sends it next, and returns where it is. */
  release(): string {
    closeSync(this.#fd);
    const former = this.path;
    this.#name = { ...this.#name, ...NOBODY };
    renameSync(former, this.path);
    return this.path;
  }
}
