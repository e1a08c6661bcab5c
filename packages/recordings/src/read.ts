import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import {
  layerNames,
  MAX_CUSTOM_SCALARS,
  type RecordedFinish,
  type RecordedLine,
  type RecordedRun,
  type RecordedStep,
  RefusedError,
  readRecordedLine,
} from '@evenkeel/protocol';
import { glob } from 'tinyglobby';
import { linesOf, type Place, START } from './lines.ts';
import { RecordingError } from './recording-error.ts';

/** A file of recorded runs that has been read once and validated. */
export interface Recording {
  file: string;
  /** When the file was last written, in milliseconds since 1970. */
  modifiedAt: number;
  /** In the order of the file; each attempt of a run is one of them. None where the file has no complete line. */
  runs: readonly RecordedAttempt[];
}

/** One attempt of a run, as a file holds it. Its steps stay in the file. */
export interface RecordedAttempt {
  start: RecordedRun;
  /** The names of the layers; derived where the run line has none. */
  layers: readonly string[];
  /** Null where the file does not have one. */
  finish: RecordedFinish | null;
  /** How many steps it has, a repeated one counted twice. */
  steps: number;
  /** The smallest step number, and the largest; null where there is no step. */
  firstStep: number | null;
  lastStep: number | null;
  /** When the first step ended, and the last; null where they do not say. */
  firstTime: number | null;
  lastTime: number | null;
  /** Milliseconds in training, as far as the lines have a time: from each start of the attempt to its last line. */
  duration: number;
  /** The last loss, and the step that carries it; null where no step has one. */
  lastLoss: { step: number; loss: number } | null;
  /** Reads the steps from the file, in its order. */
  readSteps(): AsyncGenerator<RecordedStep>;
}

/**
 * Reads recordings, each named by itself or by a glob pattern. A file comes once, and only after all of it was validated.
 * @throws RecordingError like {@link readRecording}; where a pattern matches no file; where no file has a run.
 */
export async function* readRecordings(
  patterns: readonly string[],
  warn: (message: string) => void,
): AsyncGenerator<Recording> {
  const files = new Map<string, string>();
  for (const pattern of patterns) {
    for (const file of await filesOf(pattern)) files.set(resolve(file), files.get(resolve(file)) ?? file);
  }
  let runs = 0;
  for (const file of files.values()) {
    const recording = await readRecording(file, warn);
    runs += recording.runs.length;
    yield recording;
  }
  if (runs === 0) throw new RecordingError('there is no recorded run in what was named');
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

/** The name of an existing file is that file, whatever characters it has; any other is a pattern. */
async function filesOf(pattern: string): Promise<string[]> {
  const found = await stat(pattern).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'ENAMETOOLONG') return null;
    throw new RecordingError(error.message);
  });
  if (found?.isDirectory())
    throw new RecordingError(`${pattern}: is a folder: name the files in it, as in "${pattern}/*.jsonl.gz"`);
  if (found) return [pattern];
  const files = await glob(pattern, { expandDirectories: false, absolute: isAbsolute(pattern) });
  if (files.length === 0) throw new RecordingError(`${pattern}: no such file, and no file matches it`);
  return files.sort();
}

/**
 * Reads a file of JSON lines, plain or (`.gz`) compressed, and validates all of it. An incomplete last line, which a
 * killed trainer leaves, is skipped with a warning; so is a file that has no complete line.
 * @throws RecordingError naming file, line and field; also where there is no such file.
 */
export async function readRecording(file: string, warn: (message: string) => void): Promise<Recording> {
  const modifiedAt = Math.floor((await statOf(file)).mtimeMs);
  const reader = new AttemptReader(file);
  for await (const { place, text } of linesOf(file, START)) {
    if (text === null) warn(`${file}:${place.line}: the last line is incomplete and was skipped`);
    else reader.take(parseLine(file, place, text), place);
  }
  const runs = reader.attempts();
  if (runs.length === 0) warn(`${file}: contains no run`);
  return { file, modifiedAt, runs };
}

async function statOf(file: string): Promise<Stats> {
  return stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new RecordingError(error.message);
  });
}

function parseLine(file: string, place: Place, text: string): RecordedLine {
  return at(file, place, () => readRecordedLine(text));
}

/** Adds file and line to a refusal. */
function at<T>(file: string, { line }: Place, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    throw new RecordingError(`${file}:${line}: ${error.field ? `${error.field}: ` : ''}${error.message}`);
  }
}

/** State of an attempt while its lines are read. */
interface Draft extends Omit<RecordedAttempt, 'layers' | 'readSteps'> {
  place: Place;
  /** Number of layers; null until a run line or a step defines it. */
  layerCount: number | null;
  customNames: Set<string>;
  /** The last time since the attempt's last start; null where there is none. */
  clock: number | null;
}

/** Reads the lines of a file in order, and checks what a single line does not show. */
class AttemptReader {
  readonly #file: string;
  readonly #drafts: Draft[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  /** @throws RecordingError where the line does not fit the lines before it. */
  take(line: RecordedLine, place: Place): void {
    at(this.#file, place, () => {
      const draft = this.#drafts.at(-1);
      if (line.type === 'run') this.#takeRun(line, place, draft);
      else if (!draft) throw new RefusedError('type', `a ${line.type} before any run`);
      else if (draft.finish) throw new RefusedError('type', `a ${line.type} after the run's finish`);
      else if (line.type === 'finish') takeFinish(line, draft);
      else takeStep(line, draft);
    });
  }

  attempts(): RecordedAttempt[] {
    return this.#drafts.map(({ place, layerCount, customNames: _, clock: __, ...facts }) => {
      const { layers, config } = facts.start;
      return {
        ...facts,
        layers: layers.length > 0 ? layers : layerNames(config, layerCount ?? 0),
        readSteps: () => readSteps(this.#file, place, facts.steps),
      };
    });
  }

  /** A second line of the same attempt continues it: its trainer resumed twice from one checkpoint. */
  #takeRun(start: RecordedRun, place: Place, draft: Draft | undefined): void {
    if (draft && draft.start.id === start.id && draft.start.attempt === start.attempt) {
      draft.finish = null;
      draft.clock = start.startedAt ?? null;
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
      duration: 0,
      lastLoss: null,
    };
    const clock = start.startedAt ?? null;
    this.#drafts.push({ ...nothing, start, place, layerCount, customNames: new Set(), clock });
  }
}

function takeStep({ step, time, loss, custom, ...line }: RecordedStep, draft: Draft): void {
  for (const field of ['layerGradVar', 'layerOutVar'] as const) {
    const count = line[field]?.length ?? draft.layerCount;
    if (draft.layerCount !== null && count !== draft.layerCount) {
      throw new RefusedError(field, `has ${count} values, but the run has ${draft.layerCount} layers`);
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
  advance(draft, time);
}

function takeFinish(line: RecordedFinish, draft: Draft): void {
  draft.finish = line;
  advance(draft, line.endedAt);
}

/** A time before the former one is on another scale, or that of a clock that was set back: it measures nothing. */
function advance(draft: Draft, time: number | null | undefined): void {
  if (time == null) return;
  draft.duration += Math.max(0, time - (draft.clock ?? time));
  draft.clock = time;
}

/** The steps from a run's line on, `count` of them: lines written since are not read. */
async function* readSteps(file: string, from: Place, count: number): AsyncGenerator<RecordedStep> {
  let left = count;
  if (left === 0) return;
  for await (const { place, text } of linesOf(file, from)) {
    if (text === null) break;
    const line = parseLine(file, place, text);
    if (line.type !== 'step') continue;
    yield line;
    left -= 1;
    if (left === 0) return;
  }
  throw new RecordingError(`${file}: was truncated while it was read`);
}
