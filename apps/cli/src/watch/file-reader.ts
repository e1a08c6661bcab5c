import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { FileDecoder, FileFormat, Found, Position } from '@evenkeel/readers';
import type { FileProgress } from './state.ts';

const CHUNK_BYTES = 1024 * 1024;
const MIN_CHUNK_BYTES = 4096;
/** Bytes at the beginning, and before the position, by which a file is recognized. */
const HEAD_BYTES = 1024;
const TAIL_BYTES = 64;
/** How long a file must be shorter than before: a writer that replaces all of it empties it first. */
const SHRUNK_MS = 1_000;

/**
 * How a file goes on: `again` was written again, so that its rows show whether they are of another attempt, `next` has
 * fewer bytes than were read.
 */
export type Continuation = 'further' | 'again' | 'next';

/** A file from where it was read last. */
export class FileReader implements AsyncDisposable {
  readonly continuation: Continuation;
  readonly #handle: FileHandle;
  readonly #decoder: FileDecoder;
  readonly #modifiedAt: number;
  readonly #size: number;
  /** Where the reading began, and when that place was written. */
  readonly #begin: { offset: number; at: number };
  #chunk = 0;
  #offset: number;

  private constructor(handle: FileHandle, decoder: FileDecoder, begin: Begin) {
    this.#handle = handle;
    this.#decoder = decoder;
    this.continuation = begin.continuation;
    this.#offset = decoder.position.bytes;
    this.#size = begin.size;
    this.#modifiedAt = begin.modifiedAt;
    this.#begin = { offset: this.#offset, at: Math.min(begin.at, begin.modifiedAt) };
  }

  /**
   * @param known what was read of it; null where that is nothing, or the format is rewritten.
   * @param from where to go on.
   * @param since when what came before was written; null where nothing did.
   */
  static async open(
    path: string,
    format: FileFormat,
    known: FileProgress | null,
    { from, since }: { from: Position | null; since: number | null },
  ): Promise<FileReader> {
    const handle = await open(path);
    try {
      const begin = await beginOf(handle, known, since);
      const position = begin.continuation === 'further' ? from : null;
      return new FileReader(handle, decoderAt(format, position), begin);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** What the next bytes hold; null at the end of the file. */
  async next(): Promise<Found[] | null> {
    const length = Math.min(CHUNK_BYTES, Math.max(MIN_CHUNK_BYTES, this.#size - this.#offset));
    const { bytesRead, buffer } = await this.#handle.read(new Uint8Array(length), 0, length, this.#offset);
    if (bytesRead === 0) return null;
    this.#chunk = bytesRead;
    this.#offset += bytesRead;
    return this.#decoder.push(buffer.subarray(0, bytesRead));
  }

  /** What the last bytes hold, though they may be incomplete: nothing more will be written. */
  end(): Found[] {
    return this.#decoder.end();
  }

  /** Bytes that were read. */
  get offset(): number {
    return this.#offset;
  }

  get position(): Position {
    return this.#decoder.position;
  }

  /**
   * When a row was written that has no time, as its place among the bytes that were written since suggests.
   * @param share of the last bytes that were read, up to the row.
   */
  timeAt(share: number): number {
    const { offset, at } = this.#begin;
    const written = this.#offset - this.#chunk * (1 - share) - offset;
    return at + (this.#modifiedAt - at) * Math.min(1, written / Math.max(1, this.#size - offset));
  }

  /** How far the file is read, for a later process. */
  async progress(firstRow: string | null): Promise<FileProgress> {
    const { bytes, state } = this.position;
    const digest = await digestAt(this.#handle, bytes);
    // Of what was read, and when: a file that has grown meanwhile is another than that.
    return { position: { bytes, state }, size: this.#offset, modifiedAt: this.#modifiedAt, digest, firstRow };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}

/** From the beginning where the position is one of another version: what is sent again merges with what is stored. */
function decoderAt(format: FileFormat, position: Position | null): FileDecoder {
  try {
    return format.decode(position);
  } catch (error) {
    if (position === null) throw error;
    return format.decode(null);
  }
}

interface Begin {
  continuation: Continuation;
  size: number;
  modifiedAt: number;
  /** When the first byte was written, or the last of those that were read before. */
  at: number;
}

async function beginOf(handle: FileHandle, known: FileProgress | null, since: number | null): Promise<Begin> {
  let stat = await handle.stat();
  const isShrunk = () => known !== null && stat.size < known.position.bytes;
  if (isShrunk()) {
    await wait(SHRUNK_MS);
    stat = await handle.stat();
  }
  const begin = { size: stat.size, modifiedAt: stat.mtimeMs, at: since ?? (stat.birthtimeMs || stat.mtimeMs) };
  if (!known) return { continuation: 'further', ...begin };
  if (isShrunk()) return { continuation: 'next', ...begin };
  const isSame = (await digestAt(handle, known.position.bytes)) === known.digest;
  return { continuation: isSame ? 'further' : 'again', ...begin };
}

async function digestAt(handle: FileHandle, bytes: number): Promise<string> {
  const head = await readAt(handle, 0, Math.min(bytes, HEAD_BYTES));
  const tail = await readAt(handle, Math.max(0, bytes - TAIL_BYTES), Math.min(bytes, TAIL_BYTES));
  return createHash('sha256').update(head).update(tail).digest('base64');
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const { bytesRead, buffer } = await handle.read(new Uint8Array(length), 0, length, offset);
  return buffer.subarray(0, bytesRead);
}
