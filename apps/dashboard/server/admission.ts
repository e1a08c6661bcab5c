import type { ServerResponse } from 'node:http';

/** Requests that are answered at a time, and that wait; of one viewer and of all together. */
const LIMITS = { answered: 8, answeredOfOne: 4, waiting: 256, waitingOfOne: 64 };
/**
 * The same of answers that stream, which take long: they have their own places, and leave the pages theirs. Many, because
 * each is as slow as its client, holds a megabyte or a row group of Parquet at most, and takes turns to read.
 */
export const STREAM_LIMITS = { answered: 64, answeredOfOne: 16, waiting: 64, waitingOfOne: 16 };
/** Unread bytes of finished answers, of all viewers together, above which no further request is admitted. */
const UNREAD_BYTES = 128 * 1024 * 1024;
interface Timeouts {
  /** Milliseconds that an answer may make no progress because nobody reads it. */
  stillMs: number;
  /** Milliseconds that an answer may take in total. */
  answerMs: number;
  /** Milliseconds that a request waits before it is refused; null where others are soon done. */
  waitMs: number | null;
}

const TIMEOUTS: Timeouts = { stillMs: 60_000, answerMs: 180_000, waitMs: null };
/**
 * A stream of a long run over a slow link is worth waiting for; a client that stops reading is not. Others may take an
 * hour, so that who waits for their places is refused before long.
 */
export const STREAM_TIMEOUTS: Timeouts = { stillMs: 60_000, answerMs: 3_600_000, waitMs: 5_000 };

/** When to try again after a refusal. */
export const RETRY_AFTER_SECONDS = 2;

const BUSY = 'the server has more requests than it can answer: retry in a moment';

/** 429 where one viewer sends too many requests at once, 503 where all together do. */
export type Refusal = { status: 429 | 503; error: string };

interface Viewer {
  /** Until they are read. */
  answered: number;
  waiting: (() => void)[];
}

/**
 * Admits requests in turn, one viewer after another, so that no viewer starves the others or the trainers. A slot is free
 * for others once its answer is ready, and for its viewer once that has been read: a slow link delays nobody else.
 */
export class Admission {
  readonly #limits: typeof LIMITS;
  readonly #timeouts: Timeouts;
  /** Viewers with a request here; the next in turn first. */
  readonly #viewers = new Map<string, Viewer>();
  /** Answers in progress. */
  #answered = 0;
  /** Answers that are ready and not read yet. */
  readonly #unread = new Set<ServerResponse>();
  /** Work that continues even after the client has gone. */
  readonly #work = new WeakMap<ServerResponse, Promise<void>>();
  #waiting = 0;
  #isScheduled = false;

  constructor(limits = LIMITS, timeouts = TIMEOUTS) {
    this.#limits = limits;
    this.#timeouts = timeouts;
  }

  /**
   * Resolves to null when the request may be answered, or to why it is refused. Never resolves if its client goes first:
   * then there is nothing to do.
   * @param viewer whose limits the request counts towards.
   */
  enter(viewer: string, response: ServerResponse): Promise<Refusal | null> {
    const own = this.#viewers.get(viewer) ?? { answered: 0, waiting: [] };
    const refusal = this.#refusal(own);
    if (refusal) return Promise.resolve(refusal);
    this.#viewers.set(viewer, own);
    this.#waiting += 1;
    return new Promise((resolve) => {
      const begin = () => {
        response.off('close', leave);
        clearTimeout(tooLong);
        this.#answer(viewer, own, response);
        resolve(null);
      };
      const leave = () => {
        clearTimeout(tooLong);
        own.waiting.splice(own.waiting.indexOf(begin), 1);
        this.#waiting -= 1;
        this.#forgetIdle(viewer, own);
      };
      const refuse = () => {
        response.off('close', leave);
        leave();
        resolve({ status: 503, error: BUSY });
      };
      const { waitMs } = this.#timeouts;
      const tooLong = waitMs === null ? undefined : setTimeout(refuse, waitMs);
      own.waiting.push(begin);
      response.once('close', leave);
      this.#scheduleAdmitting();
    });
  }

  #refusal(own: Viewer): Refusal | null {
    const { waiting, waitingOfOne } = this.#limits;
    if (own.waiting.length >= waitingOfOne)
      return { status: 429, error: `${waitingOfOne} of your requests are waiting already: retry in a moment` };
    if (this.#waiting < waiting) return null;
    return { status: 503, error: BUSY };
  }

  /** The slot stays taken until this work ends too: rendering a page continues after its client has gone. */
  keepUntil(response: ServerResponse, work: Promise<void>): Promise<void> {
    this.#work.set(response, work);
    return work;
  }

  #answer(viewer: string, own: Viewer, response: ServerResponse): void {
    own.answered += 1;
    this.#answered += 1;
    const { stillMs, answerMs } = this.#timeouts;
    response.setTimeout(stillMs, () => {
      if (isUnread(response)) response.destroy();
    });
    const tooLong = setTimeout(() => response.destroy(), answerMs);
    let isReady = false;
    const ready = () => {
      if (isReady) return;
      isReady = true;
      this.#answered -= 1;
      this.#scheduleAdmitting();
    };
    response.once('prefinish', () => {
      this.#unread.add(response);
      ready();
    });
    response.once('close', async () => {
      clearTimeout(tooLong);
      this.#unread.delete(response);
      await this.#work.get(response)?.catch(() => {}); // its caller handles that
      ready();
      own.answered -= 1;
      this.#forgetIdle(viewer, own);
      this.#scheduleAdmitting();
    });
  }

  /** In another turn of the event loop: otherwise a burst of requests would be answered in one turn, and block all else. */
  #scheduleAdmitting(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#admit();
    });
  }

  #admit(): void {
    for (const [viewer, own] of this.#viewers) {
      if (this.#answered >= this.#limits.answered || this.#unreadBytes() > UNREAD_BYTES) return;
      if (own.answered >= this.#limits.answeredOfOne) continue;
      const begin = own.waiting.shift();
      if (!begin) continue;
      this.#waiting -= 1;
      this.#viewers.delete(viewer); // the others come before its next; the loop meets it again at the end
      this.#viewers.set(viewer, own);
      begin();
    }
  }

  #unreadBytes(): number {
    let bytes = 0;
    for (const { writableLength } of this.#unread) bytes += writableLength;
    return bytes;
  }

  #forgetIdle(viewer: string, { answered, waiting }: Viewer): void {
    if (answered === 0 && waiting.length === 0) this.#viewers.delete(viewer);
  }
}

/** Whether an answer waits for its reader; else its reader waits for it. */
function isUnread({ writableNeedDrain, writableEnded }: ServerResponse): boolean {
  return writableNeedDrain || writableEnded;
}
