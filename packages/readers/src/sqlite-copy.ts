import { copyFile, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from 'node-sqlite3-wasm';
import type { SqlRow, SqlSource } from './sql-source.ts';

const HEAD = 'SQLite format 3\0';
/** The tables of a database are described within so many bytes: a tool creates them before it writes anything. */
const SCHEMA_BYTES = 4 * 1024 * 1024;
/** What may lie beside a database: changes of a writer that are not in it yet, or that are to be taken back. */
const SUFFIXES = ['', '-wal', '-journal'];
const MAX_TRIES = 5;

/** Whether a file is a SQLite database that was made with these tables. */
export async function hasTables(path: string, names: readonly string[]): Promise<boolean> {
  if ((await beginningOf(path, HEAD.length)) !== HEAD) return false;
  const schema = (await beginningOf(path, SCHEMA_BYTES)) + (await beginningOf(`${path}-wal`, SCHEMA_BYTES));
  return names.every((name) => new RegExp(`CREATE TABLE "?${name}"?\\s*\\(`).test(schema));
}

async function beginningOf(path: string, bytes: number): Promise<string> {
  try {
    await using file = await open(path);
    const { bytesRead, buffer } = await file.read({ buffer: Buffer.alloc(bytes) });
    return buffer.toString('latin1', 0, bytesRead);
  } catch {
    return ''; // a folder, or not there
  }
}

/** A SQLite database that is read from a copy: its own file, which another program may be writing, is never touched. */
export class SqliteCopy implements SqlSource {
  readonly #database: Database;
  readonly #folder: string;

  private constructor(folder: string, database: Database) {
    this.#folder = folder;
    this.#database = database;
    this.#database.exec('PRAGMA locking_mode = EXCLUSIVE'); // else a write-ahead log needs shared memory
  }

  /** @throws an Error where the file goes on changing while it is copied, or is damaged. */
  static async open(path: string): Promise<SqliteCopy> {
    const folder = await mkdtemp(join(tmpdir(), 'evenkeel-sqlite-'));
    try {
      await copyAtRest(path, copyIn(folder));
      const { default: sqlite } = await import('node-sqlite3-wasm'); // not before: it compiles a megabyte
      return new SqliteCopy(folder, new sqlite.Database(copyIn(folder)));
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async *rows(sql: string, ...values: string[]): AsyncGenerator<SqlRow> {
    const statement = this.#database.prepare(sql);
    try {
      for (const row of statement.iterate(values)) yield row;
    } finally {
      statement.finalize();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#database.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const copyIn = (folder: string) => join(folder, 'copy.db');

async function copyAtRest(from: string, to: string): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const before = await stateOf(from);
    for (const suffix of SUFFIXES) {
      await rm(to + suffix, { force: true });
      if (before.has(suffix)) await copyFile(from + suffix, to + suffix).catch(ignoreAbsent);
    }
    const after = await stateOf(from);
    if (SUFFIXES.every((suffix) => before.get(suffix) === after.get(suffix))) return;
  }
  throw new Error(`${from} is being written: stop the program that writes it, or copy it first`);
}

/** Size and time of the last change of each file that is there. */
async function stateOf(path: string): Promise<Map<string, string>> {
  const state = new Map<string, string>();
  for (const suffix of SUFFIXES) {
    const stats = await stat(path + suffix, { bigint: true }).catch(ignoreAbsent);
    if (stats) state.set(suffix, `${stats.size} ${stats.mtimeNs}`);
  }
  return state;
}

function ignoreAbsent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
