import { createReadStream, type ReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import {
  layerNames,
  MAX_CUSTOM_SCALARS,
  MAX_FRAME_BYTES,
  type RecordedFinish,
  type RecordedLine,
  type RecordedRun,
  type RecordedStep,
  RefusedError,
  readRecordedLine,
} from '@evenkeel/protocol';
import { glob } from 'tinyglobby';
import { Failure } from './failure.ts';

/** A recording that cannot be read: its message says where and why. */
class RecordingError extends Failure {
  override readonly exitCode = 2;
}

/** A file of recorded runs, which has been read once and found right. */
export interface Recording {
  file: string;
  /** When the file was last written, in milliseconds since 1970. */
  modifiedAt: number;
  /** In the order of the file; each attempt of a run is one of them. */
  runs: readonly RecordedAttempt[];
}

/** One attempt of a run, as a file holds it. Its steps stay in the file. */
export interface RecordedAttempt {
  start: RecordedRun;
  /** The names of the layers; derived where the run line has none. */
  layers: readonly string[];
  /** Null where the file has no end of it. */
  finish: RecordedFinish | null;
  /** How many steps it has, a repeated one counted twice. */
  steps: number;
  /** The smallest step number, and the largest; null where there is no step. */
  firstStep: number | null;
  lastStep: number | null;
  /** When the first step ended, and the last; null where they do not say. */
  firstTime: number | null;
  lastTime: number | null;
  /** The last loss, and the step that carries it; null where no step has one. */
  lastLoss: { step: number; loss: number } | null;
  /** Reads the steps from the file, in its order. */
  readSteps(): AsyncGenerator<RecordedStep>;
}

/**
 * Reads recordings: files of JSON lines, plain or (`.gz`) compressed, each named by itself or by a glob pattern. A file
 * comes once, and only after all of it has been found right; what is not a whole last line is left out with a warning.
 * @throws Failure naming file, line and field, with exit code 2.
 */
export async function* readRecordings(
  patterns: readonly string[],
  warn: (message: string) => void,
): AsyncGenerator<Recording> {
  const files = new Map<string, string>();
  for (const pattern of patterns) {
    for (const file of await filesOf(pattern)) files.set(resolve(file), files.get(resolve(file)) ?? file);
  }
  for (const file of files.values()) yield readRecording(file, warn);
}

/** The attempts of each run, in the order of the file. */
export function byRun(attempts: readonly RecordedAttempt[]): Iterable<RecordedAttempt[]> {
  const runs = new Map<string, RecordedAttempt[]>();
  for (const attempt of attempts) {
    const known = runs.get(attempt.start.id);
    if (known) known.push(attempt);
    else runs.set(attempt.start.id, [attempt]);
  }
  return runs.values();
}

/** A name that is a file's stands for it, whatever characters it has; another is a pattern. */
async function filesOf(pattern: string): Promise<string[]> {
  const found = await stat(pattern).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'ENAMETOOLONG') return null;
    throw new RecordingError(error.message);
  });
  if (found?.isDirectory())
    throw new RecordingError(`${pattern}: is a folder: name the files in it, as in "${pattern}/*.jsonl.gz"`);
  if (found) return [pattern];
  const files = await glob(pattern, { expandDirectories: false, absolute: isAbsolute(pattern) });
  if (files.length === 0) throw new RecordingError(`${pattern}: there is no such file, nor one that it matches`);
  return files.sort();
}

async function readRecording(file: string, warn: (message: string) => void): Promise<Recording> {
  const modifiedAt = Math.floor((await stat(file)).mtimeMs);
  const reader = new AttemptReader(file);
  let end: Place = START;
  for await (const { place, text, isEnded } of linesOf(file, START)) {
    end = place;
    // Only all of an object of JSON is one: a line that can be read is whole, also without its end.
    if (!isEnded && !isJson(text)) warn(`${file}:${place.line}: the last line is not finished, and left out`);
    else reader.take(parseLine(file, place, text), place);
  }
  const runs = reader.attempts();
  if (runs.length === 0) throw new RecordingError(`${file}:${end.line}: holds no run`);
  return { file, modifiedAt, runs };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function parseLine(file: string, place: Place, text: string): RecordedLine {
  return at(file, place, () => readRecordedLine(text));
}

/** Says where it was that something was refused. */
function at<T>(file: string, { line }: Place, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    throw new RecordingError(`${file}:${line}: ${error.field ? `${error.field}: ` : ''}${error.message}`);
  }
}

/** What is gathered of an attempt as its lines go by. */
interface Draft extends Omit<RecordedAttempt, 'layers' | 'readSteps'> {
  place: Place;
  /** Values of a per-layer field; null where neither a name nor a step has told. */
  layerCount: number | null;
  customNames: Set<string>;
}

/** Takes a file's lines one after another, and checks what one line alone does not show. */
class AttemptReader {
  readonly #file: string;
  readonly #drafts: Draft[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  /** @throws Failure where the line does not fit to those before. */
  take(line: RecordedLine, place: Place): void {
    at(this.#file, place, () => {
      const draft = this.#drafts.at(-1);
      if (line.type === 'run') this.#takeRun(line, place, draft);
      else if (!draft) throw new RefusedError('type', `a ${line.type} before any run`);
      else if (draft.finish) throw new RefusedError('type', `a ${line.type} after the run's finish`);
      else if (line.type === 'finish') draft.finish = line;
      else takeStep(line, draft);
    });
  }

  attempts(): RecordedAttempt[] {
    return this.#drafts.map(({ place, layerCount, customNames: _, ...facts }) => {
      const { layers, config } = facts.start;
      return {
        ...facts,
        layers: layers.length > 0 ? layers : layerNames(config, layerCount ?? 0),
        readSteps: () => readSteps(this.#file, place, facts.steps),
      };
    });
  }

  /** The same attempt again goes on with it: its trainer resumed twice from one checkpoint. */
  #takeRun(start: RecordedRun, place: Place, draft: Draft | undefined): void {
    if (draft && draft.start.id === start.id && draft.start.attempt === start.attempt) {
      draft.finish = null;
      return;
    }
    const layerCount = start.layers.length || null;
    const nothing = {
      finish: null,
      steps: 0,
      firstStep: null,
      lastStep: null,
      firstTime: null,
      lastTime: null,
      lastLoss: null,
    };
    this.#drafts.push({ ...nothing, start, place, layerCount, customNames: new Set() });
  }
}

function takeStep({ step, time, loss, custom, ...line }: RecordedStep, draft: Draft): void {
  for (const field of ['layerGradVar', 'layerOutVar'] as const) {
    const count = line[field]?.length ?? draft.layerCount;
    if (draft.layerCount !== null && count !== draft.layerCount) {
      throw new RefusedError(field, `has ${count} values, but the run ${draft.layerCount} layers`);
    }
    draft.layerCount = count;
  }
  for (const name in custom) draft.customNames.add(name);
  if (draft.customNames.size > MAX_CUSTOM_SCALARS) {
    throw new RefusedError('custom', `the run would have more than ${MAX_CUSTOM_SCALARS} scalars`);
  }
  draft.steps += 1;
  draft.firstStep = Math.min(draft.firstStep ?? step, step);
  draft.lastStep = Math.max(draft.lastStep ?? step, step);
  if (draft.steps === 1) draft.firstTime = time ?? null;
  draft.lastTime = time ?? null;
  if (loss != null) draft.lastLoss = { step, loss };
}

/** The steps from a run's line on, `count` of them: what has been written since is not among them. */
async function* readSteps(file: string, from: Place, count: number): AsyncGenerator<RecordedStep> {
  let left = count;
  if (left === 0) return;
  for await (const { place, text } of linesOf(file, from)) {
    const line = parseLine(file, place, text);
    if (line.type !== 'step') continue;
    yield line;
    left -= 1;
    if (left === 0) return;
  }
  throw new RecordingError(`${file}: has become shorter while it was read`);
}

/** Where a line begins in a file, what is compressed counted as it was. */
interface Place {
  /** From 1. */
  line: number;
  byte: number;
}

const START: Place = { line: 1, byte: 0 };
const NEWLINE = 0x0a;
/** Blank lines in a row; a recording needs none. */
const MAX_BLANK_LINES = 1_000;
/**
 * Bytes that one compressed byte may become. Steps compress to about a fifth, and by 330 where 512 layers log nothing but
 * NaN; deflate can reach 1,030, which only a file that was made to keep its reader busy does.
 */
const MAX_RATIO = 600;
/** Smaller files may have any ratio, in bytes of what they hold. */
const RATIO_FREE_BYTES = 16 * 1024 * 1024;

interface Line {
  place: Place;
  text: string;
  /** Whether the line's end is in the file; only a last line may lack it. */
  isEnded: boolean;
}

/**
 * The lines of a file that hold something, from a line's beginning on.
 * @throws Failure naming file and line where there is no end of blanks, of a line or of what was compressed.
 */
async function* linesOf(file: string, from: Place): AsyncGenerator<Line> {
  let place = from;
  let blanks = 0;
  let parts: Buffer[] = [];
  let length = 0;
  const lineOf = (isEnded: boolean): Line => ({ place, text: decode(file, place, Buffer.concat(parts)), isEnded });
  for await (let chunk of bytesOf(file, from.byte, () => place)) {
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE)) {
      parts.push(chunk.subarray(0, end));
      const line = lineOf(true);
      blanks = line.text.trim() ? 0 : blanks + 1;
      if (blanks === 0) yield line;
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
  const last = lineOf(false);
  if (last.text.trim()) yield last;
}

function decode(file: string, { line }: Place, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new RecordingError(`${file}:${line}: not UTF-8`);
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
