import { appendFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { StepInput } from '@evenkeel/emit';
import { type EndStatus, type RecordedRunInput, storableReason, writeRecordedLine } from '@evenkeel/protocol';
import { UsageError } from './usage-error.ts';

/** A file is looked through backwards for its last line's end by as many bytes at a time. */
const LOOK_BACK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/**
 * Writes a run into a file, one JSON object a line: the format in the protocol's specification, section "A recording".
 * A line goes out in one write as soon as it is known, so that `kill -9` leaves all of it or none, but for the last.
 */
export class Recorder {
  readonly #path: string;
  readonly #file: FileHandle;
  /** A write has failed, maybe half-way: nothing may follow. */
  #broken = false;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Opens a new file for a run's first attempt. A later attempt goes on in the file of the former, behind its last
   * whole line, where there is one.
   * @throws UsageError where the file is there already or cannot be written.
   */
  static async open(path: string, run: Omit<RecordedRunInput, 'type'>): Promise<Recorder> {
    const isNew = (run.attempt ?? 1) === 1;
    const file = await open(path, isNew ? 'ax' : 'a+').catch((error) => refuse(path, error));
    const recorder = new Recorder(path, file);
    try {
      if (!isNew) await cutTornLine(file);
      recorder.#write({ ...run, type: 'run' });
    } catch (error) {
      await file.close();
      throw error;
    }
    return recorder;
  }

  /**
   * Records a step; `time` is filled in where it is absent.
   * @throws RefusedError naming the field that a recording cannot hold; UsageError where the file cannot be written.
   */
  log(step: StepInput): void {
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
  if (code !== 'EEXIST') throw new UsageError(`--record: ${message}`);
  throw new UsageError(`--record: ${path} is there already: name another file, or remove it`);
}

/** What a former process was writing when it died is not a line, and would spoil the next. */
async function cutTornLine(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(LOOK_BACK_BYTES);
  for (let end = size; end > 0; end -= LOOK_BACK_BYTES) {
    const start = Math.max(0, end - LOOK_BACK_BYTES);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    const newline = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (newline >= 0) return file.truncate(start + newline + 1);
  }
  await file.truncate(0);
}
