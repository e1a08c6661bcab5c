import { appendFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import {
  type EndStatus,
  MAX_FRAME_BYTES,
  type RecordedRunInput,
  type RecordedStep,
  storableReason,
  writeRecordedLine,
} from '@evenkeel/protocol';
import { completeLine, NEWLINE } from './lines.ts';
import { RecordingError } from './recording-error.ts';

/** The end of the last line is searched from the end of the file, in chunks of this size. */
const CHUNK_BYTES = 64 * 1024;

type StepArray = 'tevQuantiles' | 'layerGradVar' | 'layerOutVar';

/** A step as a trainer logs it: its arrays may be typed ones. */
type LoggedStep = Omit<RecordedStep, 'type' | StepArray> & {
  [Name in StepArray]?: ArrayLike<number> | null | undefined;
};

/**
 * Writes a run into a file, one JSON object a line: the format in the protocol's specification, section "Recordings".
 * Each line is one write, made at once, so that only the last line can be torn by `kill -9`.
 */
export class RecordingWriter {
  readonly #path: string;
  readonly #file: FileHandle;
  /** A write has failed, maybe in the middle of a line: nothing may follow. */
  #broken = false;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Opens a new file for the first attempt of a run. A later attempt appends to the file of the previous one, after its
   * last complete line.
   * @throws RecordingError where the file exists already or cannot be written.
   */
  static async open(path: string, run: Omit<RecordedRunInput, 'type'>): Promise<RecordingWriter> {
    const isNew = (run.attempt ?? 1) === 1;
    const file = await open(path, isNew ? 'ax' : 'a+').catch((error) => refuse(path, error));
    const writer = new RecordingWriter(path, file);
    try {
      if (!isNew) await endLastLine(file);
      writer.#write({ ...run, type: 'run' });
    } catch (error) {
      await file.close();
      throw error;
    }
    return writer;
  }

  /**
   * Records a step; `time` is filled in where it is absent.
   * @throws RefusedError naming a field that cannot be recorded; RecordingError where the file cannot be written.
   */
  log(step: LoggedStep): void {
    this.#write({
      ...step,
      type: 'step',
      time: step.time ?? Date.now(),
      tevQuantiles: plainArray(step.tevQuantiles),
      layerGradVar: plainArray(step.layerGradVar),
      layerOutVar: plainArray(step.layerOutVar),
    });
  }

  /** Records the end of the attempt, and closes the file. */
  async finish(status: EndStatus, reason?: string | null): Promise<void> {
    if (!this.#broken)
      this.#write({ type: 'finish', status, reason: reason ? storableReason(reason) : null, endedAt: Date.now() });
    await this.#file.close();
  }

  #write(line: Parameters<typeof writeRecordedLine>[0]): void {
    const text = `${writeRecordedLine(line)}\n`;
    try {
      appendFileSync(this.#file.fd, text);
    } catch (error) {
      this.#broken = true;
      refuse(this.#path, error as NodeJS.ErrnoException);
    }
  }
}

function plainArray(values: ArrayLike<number> | null | undefined): number[] | null | undefined {
  return values && Array.from(values);
}

function refuse(path: string, { code, message }: NodeJS.ErrnoException): never {
  if (code !== 'EEXIST') throw new RecordingError(`${path}: ${message}`);
  throw new RecordingError(`${path} exists already: name another file, or remove it`);
}

/**
 * Removes an incomplete last line, left by a process that was killed, which would corrupt the next; a complete one that
 * lacks its line feed gets it. So no step is lost that a reader has seen.
 */
async function endLastLine(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  const start = await lastLineStart(file, size);
  if (start === size) return;
  const last = Buffer.alloc(Math.min(size - start, MAX_FRAME_BYTES));
  await file.read(last, 0, last.length, start);
  if (completeLine(last) === null) await file.truncate(start);
  else await file.appendFile('\n');
}

/** The byte after the last line feed; 0 where there is none. */
async function lastLineStart(file: FileHandle, size: number): Promise<number> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (let end = size; end > 0; end -= CHUNK_BYTES) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    const newline = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (newline >= 0) return start + newline + 1;
  }
  return 0;
}
