/** Bytes of the first batch: it passes a link of 4 KB/s within 20 s, after which socket.io closes a silent connection. */
const FIRST_BYTES = 80 * 1024;
/** Of the steps in a frame, which so stays below 1 MiB, its header included. */
export const MAX_BATCH_BYTES = 1024 * 1024 - 1024;
/** Late answers make a batch no smaller than this, about 64 steps: a slow server is not helped by more messages. */
const MIN_BYTES_LATE = 16 * 1024;

/** What counts as quick and late, in milliseconds from sending a batch to its answer. */
export interface BatchTiming {
  /** An answer within this lets the next batch grow. */
  quickAnswer: number;
  /** An answer after this shrinks the next batch. */
  lateAnswer: number;
}

/**
 * How large the next batch may be, in bytes on the wire. It halves after a late answer and doubles after a quick one to
 * a batch that made use of it, so that what is on its way stays small beside what the link carries between two signs of
 * life. A batch always holds one step, however large.
 */
export class BatchSize {
  readonly #timing: BatchTiming;
  #bytes = FIRST_BYTES;

  constructor(timing: BatchTiming) {
    this.#timing = timing;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A batch of so many bytes was answered after `elapsed` milliseconds. */
  answered(sent: number, elapsed: number): void {
    const { quickAnswer, lateAnswer } = this.#timing;
    if (elapsed > lateAnswer) this.#shrink(sent, MIN_BYTES_LATE);
    else if (elapsed < quickAnswer && sent > this.#bytes / 2) this.#bytes = Math.min(2 * this.#bytes, MAX_BATCH_BYTES);
  }

  /** The connection broke `elapsed` milliseconds after a batch of so many bytes was sent: the link may be too slow for it. */
  broke(sent: number, elapsed: number): void {
    if (elapsed > this.#timing.lateAnswer) this.#shrink(sent, 1);
  }

  #shrink(sent: number, min: number): void {
    this.#bytes = Math.min(this.#bytes, Math.max(Math.min(sent, this.#bytes) / 2, min));
  }
}
