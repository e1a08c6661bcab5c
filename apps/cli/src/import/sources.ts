import { createReadStream } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import {
  FILE_FORMATS,
  type FileFormat,
  type Found,
  type Position,
  type RunFacts,
  STORE_FORMATS,
  type StoreFormat,
} from '@evenkeel/readers';
import { Failure } from '../failure.ts';

const HEAD_BYTES = 4_096;
/** Small, so that what is found in a chunk is gone before the garbage collector has to keep it. */
const CHUNK_BYTES = 64 * 1024;
/** What is found in a store comes together in such numbers. */
const MAX_FOUND = 256;

/** What a source holds, or the beginning of its next file. */
type FoundInFiles = Found | { kind: 'file' };

/** A run of another tracker. */
export interface SourceRun extends RunFacts {
  format: string;
  /** The file or folder, for people. */
  source: string;
  /** What sets it apart from others of its format: the same when it is read again, also from another folder. */
  key: string;
  name: string;
  /** Whether it says how the run ended. */
  saysEnd: boolean;
  /** When the source was last written, in milliseconds since 1970: a time for runs that have none. */
  modifiedAt: number;
  /** In order, some at a time. */
  read(): AsyncGenerator<readonly FoundInFiles[]>;
}

/** Whether something here can be read by one of the formats of other trackers. */
export async function isSource(path: string): Promise<boolean> {
  if (isUrl(path)) return true;
  if ((await stat(path).catch(() => null))?.isDirectory()) return true;
  return (await storeFormatOf(path)) !== null || (await fileFormatOf(path)) !== null;
}

/**
 * The runs of a file, of a folder with all in it, or of a database by its URL.
 * @param only the name of the one format that is read; every format where it is left out.
 * @throws Failure where there is none.
 */
export async function* sourceRuns(path: string, only?: string): AsyncGenerator<SourceRun> {
  let isEmpty = true;
  for await (const run of allRuns(path, only)) {
    isEmpty = false;
    yield run;
  }
  if (isEmpty)
    throw new Failure(`${path}: ${only ? `no run of the format ${only}` : 'no run that can be imported'} is there`);
}

async function* allRuns(path: string, only: string | undefined): AsyncGenerator<SourceRun> {
  if (!isUrl(path) && !(await stat(path).catch(() => null)))
    throw new Failure(`${path}: there is no such file or folder`);
  const files = new Map<string, FilesOfRun>();
  for await (const { path: found, store } of entriesIn(path, only)) {
    if (store) yield* storedRuns(store, found);
    else await addFile(files, path, found, only);
  }
  for (const run of files.values()) yield runOfFiles(run);
}

interface Entry {
  path: string;
  /** Null for a file that is no store. */
  store: StoreFormat | null;
}

/** Stores, which are not looked into, and files, in the order of their names. */
async function* entriesIn(path: string, only: string | undefined): AsyncGenerator<Entry> {
  const store = await storeFormatOf(path, only);
  if (store || !(await stat(path)).isDirectory()) return yield { path, store };
  const entries = await readdir(path, { withFileTypes: true });
  for (const name of entries.flatMap((entry) => (entry.isFile() || entry.isDirectory() ? [entry.name] : [])).sort())
    yield* entriesIn(join(path, name), only);
}

function isUrl(path: string): boolean {
  return /^[a-z][a-z0-9+]*:\/\//.test(path);
}

async function storeFormatOf(path: string, only?: string): Promise<StoreFormat | null> {
  for (const format of STORE_FORMATS)
    if ((only ?? format.name) === format.name && (await format.matches(path))) return format;
  return null;
}

async function fileFormatOf(path: string, only?: string): Promise<FileFormat | null> {
  const head = await headOf(path);
  const found =
    head && FILE_FORMATS.find((format) => (only ?? format.name) === format.name && format.matches(slashed(path), head));
  return found || null;
}

async function headOf(path: string): Promise<Uint8Array | null> {
  try {
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(HEAD_BYTES) });
    return buffer.subarray(0, bytesRead);
  } catch {
    return null;
  }
}

async function* storedRuns(format: StoreFormat, path: string): AsyncGenerator<SourceRun> {
  const modifiedAt = (await stat(path).catch(() => null))?.mtimeMs ?? Date.now();
  try {
    for await (const run of format.runs(path)) {
      const about = { format: format.name, source: shown(path), key: run.id, name: run.name ?? run.id };
      yield { ...run, ...about, saysEnd: true, modifiedAt, read: () => readable(path, run.read()) };
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function* readable(path: string, all: AsyncGenerator<Found>): AsyncGenerator<readonly Found[]> {
  let some: Found[] = [];
  try {
    for await (const found of all) {
      some.push(found);
      if (some.length < MAX_FOUND) continue;
      yield some;
      some = [];
    }
    yield some;
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** What a damaged or foreign store leads to says nothing of the program. */
function unreadable(path: string, error: unknown): Error {
  if (error instanceof Failure) return error;
  return new Failure(`${shown(path)} cannot be read: ${error instanceof Error ? error.message : error}`);
}

/** A URL without its password. */
function shown(path: string): string {
  if (!isUrl(path)) return path;
  const url = new URL(path);
  url.password = '';
  return url.href;
}

interface FilesOfRun {
  format: FileFormat;
  key: string;
  name: string;
  paths: string[];
}

async function addFile(
  runs: Map<string, FilesOfRun>,
  root: string,
  file: string,
  only: string | undefined,
): Promise<void> {
  const format = await fileFormatOf(file, only);
  if (!format) return;
  const run = format.runOf(file === root ? basename(file) : slashed(relative(root, file)));
  const id = JSON.stringify([format.name, run.key]);
  const folder = basename(resolve(file === root ? dirname(root) : root));
  const named = (text: string) => (text === '.' || text === '' ? folder : text);
  const known = runs.get(id) ?? { format, key: named(run.key), name: named(run.name), paths: [] };
  known.paths.push(file);
  runs.set(id, known);
}

const NUMERIC = new Intl.Collator('en', { numeric: true });

async function runOfFiles({ format, key, name, paths: found }: FilesOfRun): Promise<SourceRun> {
  const paths = found.toSorted(NUMERIC.compare); // checkpoint-1000 holds what checkpoint-500 does, and more
  const [first = ''] = paths;
  const files = await Promise.all(paths.map(async (path) => ({ path, stats: await stat(path) })));
  const facts = (await format.factsBeside?.(first)) ?? {};
  return {
    ...facts,
    format: format.name,
    saysEnd: format.saysEnd ?? false,
    source: paths.length === 1 ? first : dirname(first),
    key,
    name,
    modifiedAt: files.reduce((last, { stats }) => Math.max(last, stats.mtimeMs), 0),
    read: () => readFiles(format, files),
  };
}

/** Each up to its size when it was found, so that a file that grows reads the same twice. */
async function* readFiles(format: FileFormat, files: readonly SizedFile[]): AsyncGenerator<readonly FoundInFiles[]> {
  let position: Position | null = null;
  for (const { path, stats } of files) {
    yield [{ kind: 'file' }];
    if (stats.size === 0) continue;
    const decoder = format.decode(format.isRewritten ? position : null);
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES, end: stats.size - 1 })) {
      yield decoder.push(chunk);
    }
    yield decoder.end();
    position = decoder.position;
  }
}

interface SizedFile {
  path: string;
  stats: { size: number };
}

function slashed(path: string): string {
  return path.replaceAll(sep, '/');
}
