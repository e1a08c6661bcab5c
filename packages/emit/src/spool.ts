import {
  type DropCount,
  decodeSteps,
  encodeSteps,
  type RunEnd,
  type StartRequest,
  type StepEvent,
} from '@evenkeel/protocol';
import type { Outbox, Overflow } from './outbox.ts';
import { SpoolFile, spoolBytes } from './spool-file.ts';
import type { SpoolReader } from './spool-record.ts';
import { wireBytes } from './step-size.ts';
import type { Warn } from './warn.ts';

export interface SpoolTuning {
  /** Milliseconds without an acknowledgement, though steps are pending, after which they are written to a file. */
  after: number;
  /** Milliseconds from one write to the next. */
  flush: number;
  /** Bytes of all files in the folder; what goes beyond is kept in memory only. */
  maxBytes: number;
}

export const SPOOL_TUNING: SpoolTuning = { after: 5_000, flush: 100, maxBytes: 1024 ** 3 };

/** Bytes of a record's steps: what damage to one byte can cost. */
const RECORD_BYTES = 64 * 1024;
/** Steps in memory that wait to be written to where the overflow is, at most. */
const MAX_TAIL = 16_384;
/** A process that is busy between two timers has had no chance to receive an acknowledgement: it gets so many. */
const MIN_TICKS = 3;
/** Milliseconds before a file that could not be written is tried again. */
const RETRY_PAUSE = 5_000;
/** A file of which more than half of its bound is taken is written again, if no more steps than this are pending. */
const MAX_REWRITTEN = 20_000;

export interface SpoolOptions {
  /** Null where nothing is to be written. */
  folder: string | null;
  /** The server's origin: only to it are the steps sent by a later process that does not say otherwise. */
  server: string;
  start: StartRequest;
  outbox: Outbox;
  /** What was left out of steps before they came to the outbox. */
  drops: Pick<DropCount, 'total' | 'values'>;
  warn: Warn;
  tuning: SpoolTuning;
}

/**
 * Keeps what the server has not acknowledged in a file, so that it survives the process. The outbox remains the truth
 * while the process lives: the file mirrors it from the moment when the server has been silent for a while, or the
 * process ends, until everything is acknowledged. Steps that the outbox has no room for are in the file alone.
 * No method throws.
 */
export class Spool implements Overflow {
  readonly #options: SpoolOptions;
  #file: SpoolFile | null = null;
  #timer: NodeJS.Timeout | undefined;
  /** When an acknowledgement came last, how often was looked since, and how many steps had left the outbox by then. */
  #progress = { at: 0, ticks: 0, removed: 0 };
  /** Steps added to the outbox that need not be written any more. */
  #written = 0;
  #retryAt = 0;
  /** Bytes that the file may have. */
  #room = 0;
  #hasEnd = false;
  /** How many dropped values the file has recorded. */
  #dropped = 0;
  #isClosed = false;

  // the overflow: steps in the file behind a place, then those that wait to be written there
  #reader: SpoolReader | null = null;
  #stored = 0;
  #tail: StepEvent[] = [];

  constructor(options: SpoolOptions) {
    this.#options = options;
    options.outbox.spillInto(this);
  }

  /** A step is pending. */
  wake(): void {
    if (this.#timer || this.#isClosed || this.#options.folder === null) return;
    this.#progress = { at: Date.now(), ticks: 0, removed: this.#removed };
    this.#schedule();
  }

  /** Writes everything that is pending, and how the run ends where that is known, before it returns. */
  save(end: RunEnd | null): void {
    if (this.#options.folder === null || this.#isClosed) return;
    if (this.#options.outbox.pending === 0 && !end) return;
    this.#attempt(() => {
      this.#open();
      this.#flush();
      this.#appendDropped();
      if (end && !this.#hasEnd) this.#file?.append('finish', Buffer.from(JSON.stringify(end)));
      if (end) this.#hasEnd = true;
    });
  }

  /**
   * The run is over in this process.
   * @param end how it ends where the server does not know it; null where there is nothing left to send.
   * @returns the file that holds what the server does not have; null where there is none.
   */
  close(end: RunEnd | null): string | null {
    if (end) this.save(end);
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const file = this.#file;
    this.#file = null;
    let kept: string | null = null;
    this.#attempt(() => {
      if (end) kept = file?.release() ?? null;
      else file?.discard();
    });
    return kept;
  }

  get length(): number {
    return this.#stored + this.#tail.length;
  }

  put(step: StepEvent): boolean {
    if (!this.#file || this.#isClosed || this.#retryAt > Date.now()) return false;
    if (this.length === 0 && !this.#beginOverflow()) return false;
    if (this.#tail.length >= MAX_TAIL) this.#attempt(() => this.#flush());
    if (this.#tail.length >= MAX_TAIL) return false;
    this.#tail.push(step);
    return true;
  }

  take(): StepEvent[] {
    if (this.#stored > 0) {
      const steps = this.#readStored();
      this.#written += steps.length; // they are in the file already
      return steps;
    }
    const steps = this.#tail;
    this.#tail = [];
    return steps;
  }

  /** Steps that have left the outbox: acknowledged or lost. */
  get #removed(): number {
    const { added, buffered } = this.#options.outbox;
    return added - buffered;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => this.#tick(), this.#options.tuning.flush).unref();
  }

  #tick(): void {
    this.#timer = undefined;
    if (this.#isClosed) return;
    if (this.#options.outbox.pending === 0) {
      this.#discard();
      return;
    }
    this.#schedule();
    this.#noteProgress();
    if (this.#retryAt > Date.now()) return;
    this.#attempt(() => {
      if (this.#isOverdue()) this.#open();
      this.#flush();
      if (this.#options.drops.total >= 2 * this.#dropped) this.#appendDropped(); // so that few of them fill no file
      this.#rewrite();
      this.#file?.keepHeld(Date.now());
    });
  }

  #noteProgress(): void {
    const removed = this.#removed;
    if (removed === this.#progress.removed) this.#progress.ticks += 1;
    else this.#progress = { at: Date.now(), ticks: 0, removed };
  }

  #isOverdue(): boolean {
    const { at, ticks } = this.#progress;
    return ticks >= MIN_TICKS && Date.now() - at >= this.#options.tuning.after;
  }

  #open(): void {
    const { folder, server, start, outbox, tuning } = this.#options;
    if (this.#file || folder === null) return;
    const others = spoolBytes(folder);
    const file = SpoolFile.create(folder, { run: start.run, attempt: countedAttempt(start) ?? 0 });
    try {
      file.append('start', Buffer.from(JSON.stringify({ server, start })));
    } catch (error) {
      file.discard();
      throw error;
    }
    this.#file = file;
    this.#dropped = 0;
    this.#room = tuning.maxBytes - others;
    this.#written = outbox.added - outbox.buffered;
  }

  #flush(): void {
    const { outbox } = this.#options;
    if (!this.#file) return;
    this.#appendSteps(outbox.newest(outbox.added - this.#written), (count) => {
      this.#written += count;
    });
    if (this.#unwritten > 0) return; // there is no room for what follows either
    this.#appendSteps(this.#tail, (count) => {
      this.#stored += count;
      this.#tail = this.#tail.slice(count);
    });
  }

  /** Steps in the outbox that are not in the file. */
  get #unwritten(): number {
    const { added, buffered } = this.#options.outbox;
    return Math.min(added - this.#written, buffered);
  }

  #appendSteps(steps: readonly StepEvent[], onWritten: (count: number) => void): void {
    const { start } = this.#options;
    const attempt = countedAttempt(start) ?? 1; // who sends it puts in the one that the server gives
    for (const batch of batchesOf(steps)) {
      const frame = Buffer.from(encodeSteps({ run: start.run, attempt, steps: batch }).buffer);
      if (!this.#file || !this.#hasRoom(this.#file, frame.byteLength)) return;
      this.#file.append('steps', frame, batch.length);
      onWritten(batch.length);
    }
  }

  /** All that was left out so far, in place of what the file said before. */
  #appendDropped(): void {
    const { drops } = this.#options;
    if (!this.#file || drops.total === this.#dropped) return;
    const payload = Buffer.from(JSON.stringify(drops.values()));
    if (!this.#hasRoom(this.#file, payload.byteLength)) return;
    this.#file.append('dropped', payload);
    this.#dropped = drops.total;
  }

  #hasRoom(file: SpoolFile, bytes: number): boolean {
    const { tuning, warn } = this.#options;
    if (file.size + bytes <= this.#room) return true;
    const size = `${Math.round(tuning.maxBytes / 1024 ** 2)} MiB`;
    warn(`the spool is full (${size}): further steps would not survive this process`, 'spool full');
    return false;
  }

  #beginOverflow(): boolean {
    this.#attempt(() => this.#flush());
    if (!this.#file || this.#unwritten > 0) return false;
    this.#reader = this.#file.read(this.#file.size, this.#file.steps);
    return true;
  }

  /** The steps of the next record in the overflow. Where it is damaged the length shrinks by more than what is returned. */
  #readStored(): StepEvent[] {
    try {
      const reader = this.#reader;
      if (!reader) throw new Error('it is not open for reading');
      const { lost } = reader;
      let record = reader.next();
      while (record && record.type !== 'steps') record = reader.next(); // what was left out stands between them
      if (!record) throw new Error('its end is damaged');
      this.#stored -= record.count + reader.lost - lost;
      return decodeSteps(record.payload).steps;
    } catch (error) {
      this.#options.warn(`${this.#stored} steps cannot be read back from the spool: ${error}`, 'spool read');
      this.#stored = 0;
      return [];
    }
  }

  /** Begins a new file where the former one holds little else than what is acknowledged. */
  #rewrite(): void {
    const { outbox } = this.#options;
    const former = this.#file;
    const isWorthIt = former && former.size > this.#room / 2 && 2 * outbox.buffered < former.steps;
    if (!isWorthIt || this.length > 0 || outbox.buffered > MAX_REWRITTEN) return;
    const room = this.#room;
    this.#file = null;
    try {
      this.#open();
    } catch (error) {
      this.#file = former;
      throw error;
    }
    this.#room = room;
    this.#flush();
    former.discard();
  }

  #discard(): void {
    const file = this.#file;
    this.#file = null;
    this.#reader = null;
    this.#attempt(() => file?.discard());
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#retryAt = Date.now() + RETRY_PAUSE;
      const problem = error instanceof Error ? error.message : String(error);
      this.#options.warn(`what is pending cannot be written to the spool: ${problem}`, 'spool write');
    }
  }
}

/** The number of the attempt; null where the server says which it is. */
function countedAttempt({ attempt }: StartRequest): number | null {
  return typeof attempt === 'number' ? attempt : null;
}

/** Steps cut into records, none of which takes more than {@link RECORD_BYTES}, except where one step does. */
function* batchesOf(steps: readonly StepEvent[]): Generator<StepEvent[]> {
  let batch: StepEvent[] = [];
  let names = new Set<string>();
  let bytes = 0;
  for (const step of steps) {
    bytes += wireBytes(step, names);
    if (bytes > RECORD_BYTES && batch.length > 0) {
      yield batch;
      batch = [];
      names = new Set();
      bytes = wireBytes(step, names);
    }
    batch.push(step);
  }
  if (batch.length > 0) yield batch;
}
