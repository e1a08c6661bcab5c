import type { ServerResponse } from 'node:http';

/** Requests that are answered at once, and that wait for it; of one viewer and of all together. */
const LIMITS = { answered: 8, answeredOfOne: 4, waiting: 256, waitingOfOne: 64 };
/** Bytes of answers that are ready and not read yet, of all viewers together, past which no further request is let in. */
const UNREAD_BYTES = 128 * 1024 * 1024;
/** Milliseconds that an answer may stand still because nobody reads it, and that it may take altogether. */
const TIMEOUTS = { stillMs: 60_000, answerMs: 180_000 };

/** 429 where the viewer asks for too much at once, 503 where all together do. */
export type Refusal = { status: 429 | 503; error: string };

interface Viewer {
  /** Until they are read. */
  answered: number;
  waiting: (() => void)[];
}

/**
 * Lets requests in one after another, the viewers taking turns, so that none of them takes the server from the others or
 * from the trainers. A place is free for others once its answer is ready, and for its viewer once that has been read: a
 * slow link holds up nobody else.
 */
export class Admission {
  readonly #limits: typeof LIMITS;
  /** Those with a request here, whose turn comes first in front. */
  readonly #viewers = new Map<string, Viewer>();
  /** Answers that are being made. */
  #answered = 0;
  /** Answers that are ready and not read yet. */
  readonly #unread = new Set<ServerResponse>();
  /** What goes on for an answer even after its client has gone. */
  readonly #work = new WeakMap<ServerResponse, Promise<void>>();
  #waiting = 0;
  #isScheduled = false;

  constructor(limits = LIMITS) {
    this.#limits = limits;
  }

  /**
   * Resolves when the request may be answered, to null, or to why it is refused. Never where its client goes before: then
   * nothing is to be done.
   * @param viewer whom the request counts for.
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
        this.#answer(viewer, own, response);
        resolve(null);
      };
      const leave = () => {
        own.waiting.splice(own.waiting.indexOf(begin), 1);
        this.#waiting -= 1;
        this.#forgetIdle(viewer, own);
      };
      own.waiting.push(begin);
      response.once('close', leave);
      this.#scheduleAdmitting();
    });
  }

  #refusal(own: Viewer): Refusal | null {
    const { waiting, waitingOfOne } = this.#limits;
    if (own.waiting.length >= waitingOfOne)
      return { status: 429, error: `${waitingOfOne} of your requests are waiting already: try again in a moment` };
    if (this.#waiting < waiting) return null;
    return { status: 503, error: 'the server has more requests than it can answer: try again in a moment' };
  }

  /** The place stays taken until this work ends too: making a page goes on after its client has gone. */
  keepUntil(response: ServerResponse, work: Promise<void>): Promise<void> {
    this.#work.set(response, work);
    return work;
  }

  #answer(viewer: string, own: Viewer, response: ServerResponse): void {
    own.answered += 1;
    this.#answered += 1;
    response.setTimeout(TIMEOUTS.stillMs, () => response.destroy());
    const tooLong = setTimeout(() => response.destroy(), TIMEOUTS.answerMs);
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
      await this.#work.get(response)?.catch(() => {}); // whoever began it handles that
      ready();
      own.answered -= 1;
      this.#forgetIdle(viewer, own);
      this.#scheduleAdmitting();
    });
  }

  /** In another turn of the event loop: a burst of requests would all be answered in one, and everything else wait. */
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
