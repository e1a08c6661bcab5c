import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Batch } from './model.ts';
import { UsageError } from './usage-error.ts';

/** Tokens are bytes. */
export const VOCABULARY = 256;
/** A text is held in memory; what is beyond this is not read. */
const MAX_BYTES = 32 * 1024 * 1024;
/** As much of a file is looked at to tell whether it is text. */
const PROBE_BYTES = 8192;

/**
 * The text to train on where none is named: it comes with this package's own dependency. About 1.3 MB of JavaScript
 * with its documentation in English.
 */
export const DEFAULT_TEXT = {
  name: 'source of TensorFlow.js Layers (JavaScript and its documentation)',
  package: '@tensorflow/tfjs-layers',
  file: 'dist/tf-layers.fesm.js',
  licence: 'Apache-2.0 AND MIT',
} as const;

export interface Text {
  /** One byte a token. */
  tokens: Uint8Array;
  /** Where they come from, for a person. */
  source: string;
}

/**
 * Reads a text: a file, all text files below a folder, or {@link DEFAULT_TEXT}.
 * @throws UsageError where there is not one token more than `least`.
 */
export async function loadText(path: string | undefined, least: number): Promise<Text> {
  const text = path === undefined ? await loadDefault() : await loadPath(path);
  if (text.tokens.length > least) return text;
  const size = text.tokens.length === 0 ? 'is empty' : `has ${text.tokens.length} bytes`;
  throw new UsageError(`--text: ${path ?? DEFAULT_TEXT.name} ${size}; a context of ${least} needs ${least + 1} bytes`);
}

async function loadDefault(): Promise<Text> {
  // tfjs-layers is a dependency of tfjs, so it is looked up from there
  const tfjs = createRequire(import.meta.url).resolve('@tensorflow/tfjs/package.json');
  const file = createRequire(tfjs).resolve(`${DEFAULT_TEXT.package}/${DEFAULT_TEXT.file}`);
  return { tokens: await readFiles([file]), source: DEFAULT_TEXT.name };
}

async function loadPath(path: string): Promise<Text> {
  const about = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(error.code === 'ENOENT' ? `--text: there is no ${path}` : `--text: ${error.message}`);
  });
  if (!about.isDirectory()) return { tokens: await readFiles([path]), source: path };
  const files = await textFiles(path);
  if (files.length === 0) throw new UsageError(`--text: ${path} holds no text files`);
  return { tokens: await readFiles(files), source: `${path} (${files.length} files)` };
}

/** The text files below a folder, in the order of their names: hidden ones, packages and links are passed over. */
async function textFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const files: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    if (entry.isDirectory()) files.push(...(await textFiles(path)));
    else if (entry.isFile() && isText(await readStart(path, PROBE_BYTES))) files.push(path);
  }
  return files;
}

/** Text is what has bytes, and none of them NUL. */
function isText(start: Uint8Array): boolean {
  return start.length > 0 && !start.includes(0);
}

async function readFiles(paths: readonly string[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let left = MAX_BYTES;
  for (const path of paths) {
    if (left === 0) break;
    const part = await readStart(path, left);
    parts.push(part);
    left -= part.length;
  }
  return Buffer.concat(parts);
}

/** The first bytes of a file, `most` of them at most. */
async function readStart(path: string, most: number): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const part of createReadStream(path, { end: most - 1 })) parts.push(part);
  return Buffer.concat(parts);
}

/** `sequences` windows of `context` tokens from anywhere in the text. */
export function sampleBatch({ tokens }: Text, sequences: number, context: number, random: () => number): Batch {
  const inputs = new Int32Array(sequences * context); // [B, T]
  const targets = new Int32Array(sequences * context); // [B, T]
  for (let row = 0; row < sequences; row++) {
    const start = Math.floor(random() * (tokens.length - context)); // the last target is at start + context
    inputs.set(tokens.subarray(start, start + context), row * context);
    targets.set(tokens.subarray(start + 1, start + 1 + context), row * context);
  }
  return { inputs, targets };
}
