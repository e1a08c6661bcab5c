import { statfs } from 'node:fs/promises';

/**
 * Bytes that the disk must keep free. PGlite does not survive a disk that is full when it starts another segment of its
 * write-ahead log, of 16 MB: the statement after that never returns. Nothing is written to a disk that is this close.
 */
const RESERVE_BYTES = 48 * 1024 * 1024;
/** Bytes that a new database takes at most while it is made. */
const NEW_BYTES = 64 * 1024 * 1024;
const LOOK_EVERY_MS = 100;

/** The disk that a data directory is on; a database in memory has none. */
export class Space {
  readonly #folder: string | null;
  #seen: { at: number; free: Promise<number> } | null = null;

  constructor(folder: string | null) {
    this.#folder = folder;
  }

  /** @throws Error with SQLSTATE 53100, which PostgreSQL itself uses, where there is no space to write. */
  check(): Promise<void> {
    return this.#require(RESERVE_BYTES);
  }

  /** @throws Error with SQLSTATE 53100 where there is no space for a new database. */
  checkForNew(): Promise<void> {
    return this.#require(RESERVE_BYTES + NEW_BYTES);
  }

  async isLow(): Promise<boolean> {
    return (await this.#free()) < RESERVE_BYTES;
  }

  async #require(bytes: number): Promise<void> {
    const free = await this.#free();
    if (free >= bytes) return;
    const left = `${inMegabytes(free)} MB left, and the embedded database needs ${inMegabytes(bytes)} MB`;
    throw Object.assign(new Error(`the disk of the data directory has ${left}`), { code: '53100' });
  }

  #free(): Promise<number> {
    if (this.#folder === null) return Promise.resolve(Number.POSITIVE_INFINITY);
    const now = performance.now();
    if (!this.#seen || now - this.#seen.at > LOOK_EVERY_MS) this.#seen = { at: now, free: freeBytes(this.#folder) };
    return this.#seen.free;
  }
}

/** Bytes that are free for this process; Infinity where the file system does not say. */
async function freeBytes(folder: string): Promise<number> {
  const known = await statfs(folder).catch(() => null);
  if (!known || known.blocks === 0) return Number.POSITIVE_INFINITY;
  return known.bavail * known.bsize;
}

function inMegabytes(bytes: number): number {
  return Math.floor(bytes / 1024 / 1024);
}
