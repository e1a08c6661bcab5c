import { createHash } from 'node:crypto';
import { lstat, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { UsageError } from '../usage-error.ts';
import { JoinedFiles, type SizedFile } from './joined-files.ts';

/** The bytes that decide whether a file is text. */
const PROBE_BYTES = 8192;
/** Texts up to this size are identified by their content, larger ones by name, size and time of change. */
const MAX_HASHED_BYTES = 64 * 1024 * 1024;
/** The size of a read where a whole text is read. */
const CHUNK_BYTES = 1024 * 1024;
/** The folder up to the first special character of a glob, and the rest. */
const GLOB = /^((?:[^*?[\]{}()!+@\\]*\/)?)(.*)$/s;

export interface TextFile extends SizedFile {
  /** When it was last changed, in ms since 1970. */
  modified: number;
}

/**
 * The files of paths, each once: a file, all text files below a folder, or all text files that a glob matches. The files
 * of a path are sorted by name.
 * @throws UsageError where a path has no files.
 */
export async function findTextFiles(paths: readonly string[]): Promise<TextFile[]> {
  const files = new Map<string, TextFile>();
  for (const path of paths) {
    for (const file of await filesOf(path)) if (!files.has(file.path)) files.set(file.path, file);
  }
  return [...files.values()];
}

async function filesOf(path: string): Promise<TextFile[]> {
  const about = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new UsageError(`--text: ${error.message}`);
  });
  if (about?.isDirectory()) return named(await matching('**', path), `--text: ${path} holds no text files`);
  if (about === null) {
    if (!isDynamicPattern(path)) throw new UsageError(`--text: there is no ${path}`);
    const [, folder, pattern = ''] = GLOB.exec(path) ?? [];
    return named(await matching(pattern, folder || '.'), `--text: no text file matches ${path}`);
  }
  if (!about.isFile()) throw new UsageError(`--text: ${path} is not a regular file`);
  if (about.size === 0) throw new UsageError(`--text: ${path} is empty`);
  return [{ path: resolve(path), size: about.size, modified: about.mtimeMs }];
}

function named(files: TextFile[], complaint: string): TextFile[] {
  if (files.length === 0) throw new UsageError(complaint);
  return files;
}

/** The text files below a folder, without hidden files, packages and links. */
async function matching(pattern: string, folder: string): Promise<TextFile[]> {
  const paths = await glob(pattern, {
    cwd: folder,
    absolute: true,
    followSymbolicLinks: false,
    ignore: ['**/node_modules/**'],
  });
  const files: TextFile[] = [];
  for (const path of paths.sort()) {
    const { size, mtimeMs } = await lstat(path);
    if (size > 0 && (await isText(path, size))) files.push({ path: resolve(path), size, modified: mtimeMs });
  }
  return files;
}

/** Text contains no NUL. */
async function isText(path: string, size: number): Promise<boolean> {
  await using file = new JoinedFiles([{ path, size }]);
  return !(await file.read(0, Math.min(size, PROBE_BYTES))).includes(0);
}

/**
 * A hash that changes when the text does. Of a text of up to 64 MiB every byte counts and nothing else does, so that
 * a copy is the same text; of a larger one each file's name, size, time of change and first bytes.
 */
export async function identify(files: readonly TextFile[]): Promise<string> {
  await using text = new JoinedFiles(files);
  const isSmall = text.size <= MAX_HASHED_BYTES;
  const hash = createHash('sha256');
  let start = 0;
  for (const { path, size, modified } of files) {
    hash.update(JSON.stringify(isSmall ? [size] : [basename(path), size, modified]));
    const end = start + (isSmall ? size : Math.min(size, PROBE_BYTES));
    for (let at = start; at < end; at += CHUNK_BYTES) hash.update(await text.read(at, Math.min(CHUNK_BYTES, end - at)));
    start += size;
  }
  return hash.digest('hex').slice(0, 32);
}
