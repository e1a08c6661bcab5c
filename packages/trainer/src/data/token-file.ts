import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TextDecoder } from 'node:util';
import { UsageError } from '../usage-error.ts';
import { JoinedFiles, type SizedFile } from './joined-files.ts';
import { END_OF_TEXT, encodeGpt2 } from './tokenizer.ts';

/**
 * A file of tokens: each two bytes, the low one first; at the end {@link MARK} and, as four bytes, how many of the
 * text's files were not UTF-8 throughout. The mark changes with the format and with what the tokenizer does.
 */
interface TokenFile extends SizedFile {
  tokens: number;
  notUtf8: number;
}

const MARK = Buffer.from('evk1');
const END_BYTES = MARK.length + 4;
const CHUNK_BYTES = 128 * 1024;
/** An unfinished file that has not grown for so long was left by a process that was killed. */
const ABANDONED_AFTER_MS = 3_600_000;

/**
 * The text's files in GPT-2's tokens, with an end-of-text token between two. They are encoded into `folder` once, under
 * the text's `identity`, and read from there later.
 */
export async function encodedOnce(
  files: readonly SizedFile[],
  identity: string,
  folder: string,
  onProgress: (fraction: number) => void,
): Promise<TokenFile> {
  const path = join(folder, `${identity}.gpt2`);
  const known = await readEnd(path);
  if (known) return known;
  await writeWhole(path, folder, (file) => encodeInto(file, files, onProgress));
  const made = await readEnd(path);
  if (!made) throw new Error(`${path} is not as it was written`);
  return made;
}

/** What there is to know of a token file, or null where none that is whole and of this format is there. */
async function readEnd(path: string): Promise<TokenFile | null> {
  const about = await stat(path).catch(() => null);
  if (!about?.isFile() || about.size < END_BYTES) return null;
  const size = about.size;
  await using file = new JoinedFiles([{ path, size }]);
  const end = await file.read(size - END_BYTES, END_BYTES);
  if (!end.subarray(0, MARK.length).equals(MARK)) return null;
  return { path, size, tokens: (size - END_BYTES) / 2, notUtf8: end.readUInt32LE(MARK.length) };
}

/** Writes under another name, and renames once all is on disk: a file of the right name is whole. */
async function writeWhole(path: string, folder: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const unfinished = `${path}.${randomUUID()}.new`;
  const file = await openNew(folder, unfinished);
  try {
    await removeAbandoned(folder, (await file.stat()).mtimeMs);
    await write(file);
    await file.sync();
    await file.close();
    await rename(unfinished, path);
  } catch (error) {
    await file.close();
    await rm(unfinished, { force: true });
    throw error;
  }
}

async function openNew(folder: string, path: string): Promise<FileHandle> {
  try {
    await mkdir(folder, { recursive: true });
    return await open(path, 'wx');
  } catch (error) {
    throw new UsageError(`--tokenizer: tokens cannot be cached in ${folder}: ${(error as Error).message}`);
  }
}

async function removeAbandoned(folder: string, now: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.new')) continue;
    const path = join(folder, name);
    const about = await stat(path).catch(() => null); // another process may finish it at this moment
    if (about && now - about.mtimeMs > ABANDONED_AFTER_MS) await rm(path, { force: true });
  }
}

async function encodeInto(
  output: FileHandle,
  files: readonly SizedFile[],
  onProgress: (fraction: number) => void,
): Promise<void> {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  let notUtf8 = 0;
  const read = (bytes: number) => {
    done += bytes;
    onProgress(done / total);
  };
  const replaced = () => {
    notUtf8++;
  };
  for (const [at, file] of files.entries()) {
    if (at > 0) await output.appendFile(toBytes([END_OF_TEXT]));
    const text = textOf(file, read, replaced);
    for await (const tokens of encodeGpt2(text)) await output.appendFile(toBytes(tokens));
  }
  const end = Buffer.alloc(END_BYTES);
  MARK.copy(end);
  end.writeUInt32LE(notUtf8, MARK.length);
  await output.appendFile(end);
}

function toBytes(tokens: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * tokens.length);
  for (let at = 0; at < tokens.length; at++) bytes.writeUInt16LE(tokens[at] as number, 2 * at);
  return bytes;
}

/** A file's text, in parts. What is not UTF-8 becomes U+FFFD, and is counted. */
async function* textOf(
  file: SizedFile,
  onRead: (bytes: number) => void,
  onNotUtf8: () => void,
): AsyncGenerator<string> {
  await using bytes = new JoinedFiles([file]);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // keeps a byte order mark
  const strict = new TextDecoder('utf-8', { fatal: true }); // distinguishes what was replaced from U+FFFD in the file
  let isUtf8 = true;
  for (let at = 0; at < bytes.size; at += CHUNK_BYTES) {
    const chunk = await bytes.read(at, Math.min(CHUNK_BYTES, bytes.size - at));
    isUtf8 &&= decodes(strict, chunk);
    yield decoder.decode(chunk, { stream: true });
    onRead(chunk.length);
  }
  isUtf8 &&= decodes(strict);
  if (!isUtf8) onNotUtf8();
  yield decoder.decode();
}

/** Whether the next part of a text, or its end, is valid for a strict decoder. */
function decodes(strict: TextDecoder, chunk?: Buffer): boolean {
  try {
    strict.decode(chunk, { stream: chunk !== undefined });
    return true;
  } catch {
    return false;
  }
}
