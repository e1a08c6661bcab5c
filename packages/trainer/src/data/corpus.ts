import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Batch } from '../model.ts';
import { UsageError } from '../usage-error.ts';
import { JoinedFiles } from './joined-files.ts';
import { findTextFiles, identify, type TextFile } from './text-files.ts';
import { encodedOnce } from './token-file.ts';
import { type TokenizerName, VOCABULARIES } from './tokenizer.ts';

/**
 * The text to train on where none is named: it comes with this package's own dependency. About 1.3 MB of JavaScript
 * with its documentation in English.
 */
export const DEFAULT_TEXT = {
  name: 'source of TensorFlow.js Layers (JavaScript and its documentation)',
  package: '@tensorflow/tfjs-layers',
  file: 'dist/tf-layers.fesm.js',
  license: 'Apache-2.0 AND MIT',
} as const;

/** Further paths are counted, not named. */
const MAX_PATHS_NAMED = 3;

/** Tokens with random access. */
export interface Tokens {
  readonly length: number;
  /** `count` tokens from `start` on. */
  read(start: number, count: number): Promise<Int32Array>;
}

export interface Corpus extends AsyncDisposable {
  readonly training: Tokens;
  /** The end of the text, which is never trained on. */
  readonly heldOut: Tokens;
  /** The size of the vocabulary. */
  readonly vocabulary: number;
  /** Where the text comes from, in words for people. */
  readonly source: string;
  readonly tokenizer: TokenizerName;
  /** Changes when the text does, see {@link identify}. */
  readonly fingerprint: string;
}

export interface CorpusOptions {
  /** Files, folders and globs; none for {@link DEFAULT_TEXT}. */
  paths: readonly string[];
  tokenizer: TokenizerName;
  /** The share at the end that is held out, 0 to 0.5. */
  heldOut: number;
  /** Tokens in a sequence. Each part has at least one more; nothing held out is fine. */
  context: number;
  /** The folder of the cache for encoded texts. */
  cache?: string;
}

/**
 * Opens a text of any size, of which little is held in memory. Bytes are read from its files. With `gpt2` the text is
 * encoded into a cache first; `onProgress` is called, often, with the share that is done.
 * @throws UsageError where there is no text, or too little.
 */
export async function openCorpus(options: CorpusOptions, onProgress = (_fraction: number) => {}): Promise<Corpus> {
  const { paths, tokenizer, cache = defaultCache() } = options;
  const files = await findTextFiles(paths.length > 0 ? paths : [defaultPath()]);
  const identity = await identify(files);
  const text = tokenizer === 'bytes' ? asBytes(files) : await asGpt2(files, identity, cache, onProgress);
  const source = nameOf(paths, files.length);
  const heldOut = heldOutOf(text.length, source, options);
  return {
    training: slice(text, 0, text.length - heldOut),
    heldOut: slice(text, text.length - heldOut, heldOut),
    vocabulary: VOCABULARIES[tokenizer],
    source: source + text.remark,
    tokenizer,
    fingerprint: `${text.length}-${identity}`,
    [Symbol.asyncDispose]: () => text[Symbol.asyncDispose](),
  };
}

/** `sequences` windows of `context` tokens at random offsets, which depend only on `random`. */
export async function sampleBatch(
  tokens: Tokens,
  sequences: number,
  context: number,
  random: () => number,
): Promise<Batch> {
  const windows: Int32Array[] = [];
  for (let row = 0; row < sequences; row++) {
    const start = below(tokens.length - context, random); // the last target is at start + context
    windows.push(await tokens.read(start, context + 1));
  }
  return toBatch(windows);
}

/**
 * Consecutive windows from the start that do not overlap: the same text at every evaluation. At most `sequences` of
 * them, `batch` at a time; the last batch may be smaller.
 */
export async function evaluationBatches(
  tokens: Tokens,
  sequences: number,
  batch: number,
  context: number,
): Promise<Batch[]> {
  const count = Math.min(sequences, Math.floor((tokens.length - 1) / context)); // the last target is one token on
  const batches: Batch[] = [];
  for (let first = 0; first < count; first += batch) {
    const windows: Int32Array[] = [];
    for (let row = first; row < Math.min(first + batch, count); row++) {
      windows.push(await tokens.read(row * context, context + 1));
    }
    batches.push(toBatch(windows));
  }
  return batches;
}

/** Windows [B][T + 1] as inputs and targets, which are the inputs shifted by one token. */
function toBatch(windows: readonly Int32Array[]): Batch {
  const context = (windows[0]?.length ?? 1) - 1;
  const inputs = new Int32Array(windows.length * context); // [B * T]
  const targets = new Int32Array(windows.length * context); // [B * T]
  for (const [row, window] of windows.entries()) {
    inputs.set(window.subarray(0, context), row * context);
    targets.set(window.subarray(1), row * context);
  }
  return { inputs, targets };
}

/** An integer from 0 to `count` - 1. One draw has 32 bits, which are too few beyond 4 billion; two give 53. */
function below(count: number, random: () => number): number {
  const high = Math.floor(random() * 2 ** 21);
  const low = Math.floor(random() * 2 ** 32);
  return Math.floor(((high * 2 ** 32 + low) / 2 ** 53) * count);
}

/** All of a text. */
interface OpenText extends Tokens, AsyncDisposable {
  /** A remark for people, appended to its name. */
  remark: string;
}

function asBytes(files: readonly TextFile[]): OpenText {
  const bytes = new JoinedFiles(files);
  return {
    length: bytes.size,
    remark: '',
    read: async (start, count) => new Int32Array(await bytes.read(start, count)),
    [Symbol.asyncDispose]: () => bytes[Symbol.asyncDispose](),
  };
}

async function asGpt2(
  files: readonly TextFile[],
  identity: string,
  cache: string,
  onProgress: (fraction: number) => void,
): Promise<OpenText> {
  const file = await encodedOnce(files, identity, cache, onProgress);
  const bytes = new JoinedFiles([file]);
  return {
    length: file.tokens,
    remark: file.notUtf8 > 0 ? `; not UTF-8 throughout, with U+FFFD instead: ${file.notUtf8}` : '',
    read: async (start, count) => {
      const words = await bytes.read(2 * start, 2 * count);
      return Int32Array.from({ length: count }, (_, at) => words.readUInt16LE(2 * at));
    },
    [Symbol.asyncDispose]: () => bytes[Symbol.asyncDispose](),
  };
}

function slice(all: Tokens, from: number, length: number): Tokens {
  return {
    length,
    read: (start, count) => {
      // guards against training on held-out text by mistake
      if (start < 0 || start + count > length) throw new RangeError(`no ${count} tokens from ${start} on`);
      return all.read(from + start, count);
    },
  };
}

/** How many tokens of the text are held out. */
function heldOutOf(length: number, source: string, { heldOut, context, tokenizer }: CorpusOptions): number {
  const share = (total: number) => Math.floor(total * heldOut);
  const isEnough = (total: number) => total - share(total) > context && (heldOut === 0 || share(total) > context);
  if (isEnough(length)) return share(length);
  let needed = heldOut === 0 ? context + 1 : Math.floor((context + 1) / heldOut) - 1; // rounding may be off by one
  while (!isEnough(needed)) needed++;
  const unit = tokenizer === 'bytes' ? 'bytes' : 'tokens';
  const purpose =
    heldOut === 0 ? `a context of ${context}` : `a context of ${context} with a held-out share of ${heldOut}`;
  throw new UsageError(`--text: ${source} has ${length} ${unit}; ${purpose} needs ${needed} ${unit}`);
}

function nameOf(paths: readonly string[], files: number): string {
  if (paths.length === 0) return DEFAULT_TEXT.name;
  const more = paths.length - MAX_PATHS_NAMED;
  const names = paths.slice(0, MAX_PATHS_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
  return files === 1 ? names : `${names} (${files} files)`;
}

function defaultPath(): string {
  // tfjs-layers is a dependency of tfjs, so it is looked up from there
  const tfjs = createRequire(import.meta.url).resolve('@tensorflow/tfjs/package.json');
  return createRequire(tfjs).resolve(`${DEFAULT_TEXT.package}/${DEFAULT_TEXT.file}`);
}

/** As the XDG base directory specification has it. */
function defaultCache(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'evenkeel', 'tokens');
}
