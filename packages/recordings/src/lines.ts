import { createReadStream, type ReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { MAX_FRAME_BYTES } from '@evenkeel/protocol';
import { RecordingError } from './recording-error.ts';

/** Where a line begins in a file, in uncompressed bytes. */
export interface Place {
  /** From 1. */
  line: number;
  byte: number;
}

export const START: Place = { line: 1, byte: 0 };
/** The byte that ends a line. */
export const NEWLINE = 0x0a;
/** Blank lines in a row; a recording needs none. */
const MAX_BLANK_LINES = 1_000;
/**
 * Bytes that one compressed byte may become. Steps compress to about a fifth, and by 330 where 512 layers log nothing but
 * NaN; deflate can reach 1,030, which only a malicious file does.
 */
const MAX_RATIO = 600;
/** Smaller files may have any ratio, in bytes of what they hold. */
const RATIO_FREE_BYTES = 16 * 1024 * 1024;

interface Line {
  place: Place;
  /** Null for an incomplete last line. */
  text: string | null;
}

/**
 * The lines of a file that hold something, from a line's beginning on.
 * @throws RecordingError naming file and line where there is no end of blanks, of a line or of what was compressed.
 */
export async function* linesOf(file: string, from: Place): AsyncGenerator<Line> {
  let place = from;
  let blanks = 0;
  let parts: Buffer[] = [];
  let length = 0;
  for await (let chunk of bytesOf(file, from.byte, () => place)) {
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE)) {
      parts.push(chunk.subarray(0, end));
      const text = decode(Buffer.concat(parts));
      if (text === null) throw new RecordingError(`${file}:${place.line}: not UTF-8`);
      blanks = text.trim() ? 0 : blanks + 1;
      if (blanks === 0) yield { place, text };
      if (blanks > MAX_BLANK_LINES)
        throw new RecordingError(`${file}:${place.line}: more than ${MAX_BLANK_LINES} blank lines in a row`);
      place = { line: place.line + 1, byte: place.byte + length + end + 1 };
      parts = [];
      length = 0;
      chunk = chunk.subarray(end + 1);
    }
    parts.push(chunk);
    length += chunk.length;
    if (length > MAX_FRAME_BYTES)
      throw new RecordingError(`${file}:${place.line}: longer than any line of a recording`);
  }
  const last = Buffer.concat(parts);
  if (decode(last)?.trim() !== '') yield { place, text: completeLine(last) };
}

/**
 * The text of a last line that lacks no more than its line feed; null for one that its writer did not complete. A part of
 * a JSON object is no JSON, so a line that parses is complete.
 */
export function completeLine(bytes: Uint8Array): string | null {
  const text = decode(bytes);
  if (text === null) return null;
  try {
    JSON.parse(text);
    return text;
  } catch {
    return null;
  }
}

/** Null for what is no UTF-8. */
function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** What a file holds from a byte on, uncompressed. */
async function* bytesOf(file: string, from: number, here: () => Place): AsyncGenerator<Buffer> {
  const isPlain = !file.endsWith('.gz');
  let toSkip = isPlain ? 0 : from;
  const source = createReadStream(file, { start: isPlain ? from : 0 });
  try {
    for await (const chunk of isPlain ? (source as AsyncIterable<Buffer>) : inflated(source, file, here)) {
      const skipped = Math.min(toSkip, chunk.length);
      toSkip -= skipped;
      if (skipped < chunk.length) yield chunk.subarray(skipped);
    }
  } catch (error) {
    if (error instanceof RecordingError) throw error;
    throw new RecordingError(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}

async function* inflated(source: ReadStream, file: string, here: () => Place): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  let bytes = 0;
  for await (const chunk of pipeline(source, gunzip, () => {}) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > RATIO_FREE_BYTES && bytes > MAX_RATIO * gunzip.bytesWritten)
      throw new RecordingError(`${file}:${here().line}: compressed more than ${MAX_RATIO} to 1, as no recording is`);
    yield chunk;
  }
}
