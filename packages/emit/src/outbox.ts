import { MAX_BATCH_STEPS, type StepEvent } from '@evenkeel/protocol';
import { MAX_BATCH_BYTES } from './batch-size.ts';
import { heapBytes, splitStep, wireBytes } from './step-size.ts';

/** What a buffer may hold; the oldest steps go first when either is reached. */
export interface OutboxLimits {
  steps: number;
  /** Bytes of heap, estimated; the batch in flight, 6 MiB at most, comes on top. */
  bytes: number;
}

export const OUTBOX_LIMITS: OutboxLimits = { steps: 1_000_000, bytes: 256 * 1024 * 1024 };

/** Steps a message while the server keeps up: small enough to be stored and drawn at once. */
const LIVE_BATCH_STEPS = 64;
/** More steps waiting than this, and there is an outage to catch up with. */
const BACKLOG_STEPS = 4 * LIVE_BATCH_STEPS;

/** Where steps wait that the buffer has no room for, to come back in the order in which they were put there. */
export interface Overflow {
  /** Steps that are there. */
  readonly length: number;
  /** Takes a step; false where it cannot. */
  put: (step: StepEvent) => boolean;
  /** Gives the next steps back; what its length shrinks by and is not given back cannot be read any more. */
  take: () => StepEvent[];
}

const NO_OVERFLOW: Overflow = { length: 0, put: () => false, take: () => [] };
/** Steps that are taken back from the overflow at a time. */
const REFILL_STEPS = MAX_BATCH_STEPS;

/**
 * The steps that the server has not acknowledged yet, oldest first.
 * At most one batch is in flight; it stays the same, step for step, until it is acknowledged, refused or recalled.
 */
export class Outbox {
  readonly #limits: OutboxLimits;
  readonly #waiting = new Queue<StepEvent>();
  #inFlight: StepEvent[] = [];
  #bytes = 0;
  #added = 0;
  #lost = 0;
  #overflow = NO_OVERFLOW;
  #waiters: { max: number; done: () => void }[] = [];
  #isReleased = false;

  constructor(limits = OUTBOX_LIMITS) {
    this.#limits = limits;
  }

  /** From now on, what the buffer has no room for waits there. */
  spillInto(overflow: Overflow): void {
    this.#overflow = overflow;
  }

  /** Steps that are not acknowledged. */
  get pending(): number {
    return this.buffered + this.#overflow.length;
  }

  /** Those of them that are in memory. */
  get buffered(): number {
    return this.#inFlight.length + this.#waiting.length;
  }

  /** Steps that came into memory so far. */
  get added(): number {
    return this.#added;
  }

  /** The newest steps in memory, oldest first: so many of them, or all there are. */
  newest(count: number): StepEvent[] {
    const fromInFlight = Math.max(0, count - this.#waiting.length);
    const inFlight = fromInFlight > 0 ? this.#inFlight.slice(-fromInFlight) : [];
    return inFlight.concat(this.#waiting.newest(count));
  }

  /** Steps given up so far: dropped because the buffer was full, or refused by the server. */
  get lost(): number {
    return this.#lost;
  }

  /**
   * Takes a step; false where one, this or the oldest waiting, had to be dropped. The batch in flight never is. A step
   * that would make a frame of more than {@link MAX_BATCH_BYTES} is kept, and counted, as several reports of it.
   */
  add(step: StepEvent): boolean {
    const lost = this.#lost;
    for (const part of splitStep(step, MAX_BATCH_BYTES)) this.#take(part);
    return this.#lost === lost;
  }

  #take(step: StepEvent): void {
    const isFull = this.buffered >= this.#limits.steps || this.#bytes + heapBytes(step) > this.#limits.bytes;
    const isBehindOthers = this.#overflow.length > 0;
    if ((isFull || isBehindOthers) && this.#overflow.put(step)) return;
    if (isBehindOthers) {
      this.#lost += 1;
      return;
    }
    this.#push(step);
    while (this.buffered > this.#limits.steps || this.#bytes > this.#limits.bytes) {
      if (!this.#takeOldest()) break;
      this.#lost += 1;
    }
  }

  #push(step: StepEvent): void {
    this.#waiting.push(step);
    this.#bytes += heapBytes(step);
    this.#added += 1;
  }

  /**
   * The batch in flight, or else the next one, which is in flight from now on; null where no step waits.
   * @param maxBytes what a new batch may take on the wire; the first step goes into it however large it is.
   */
  nextBatch(maxBytes = MAX_BATCH_BYTES): StepEvent[] | null {
    if (this.#inFlight.length === 0) this.#inFlight = this.#cutBatch(maxBytes);
    return this.#inFlight.length > 0 ? this.#inFlight : null;
  }

  /** Resolves once at most so many steps are pending, or none will leave any more. */
  drained(max: number): Promise<void> {
    return new Promise((done) => {
      this.#waiters.push({ max, done });
      this.#wake();
    });
  }

  /** Nothing more will be sent: whoever waits for that goes on. */
  release(): void {
    this.#isReleased = true;
    this.#wake();
  }

  /** The server has stored the batch in flight. */
  acknowledge(): void {
    this.#inFlight = [];
    this.#refill();
    this.#wake();
  }

  /** The batch in flight did not arrive: its steps wait again, ahead of all others, to be cut differently. */
  recall(): void {
    for (const step of this.#inFlight) this.#bytes += heapBytes(step);
    this.#waiting.unshift(this.#inFlight);
    this.#inFlight = [];
  }

  /** The server will never take the batch in flight. */
  refuse(): void {
    this.#lost += this.#inFlight.length;
    this.#inFlight = [];
    this.#refill();
    this.#wake();
  }

  /** The server will never take any step of this run. */
  refuseAll(): void {
    this.#lost += this.pending;
    this.#overflow = NO_OVERFLOW;
    this.#inFlight = [];
    this.#waiting.clear();
    this.#bytes = 0;
    this.#wake();
  }

  #refill(): void {
    const enough = Math.min(REFILL_STEPS, this.#limits.steps / 2);
    while (this.#overflow.length > 0 && this.#waiting.length < enough && this.#bytes < this.#limits.bytes / 2) {
      const before = this.#overflow.length;
      const steps = this.#overflow.take();
      for (const step of steps) this.#push(step);
      this.#lost += before - this.#overflow.length - steps.length;
    }
  }

  #wake(): void {
    const isReady = ({ max }: { max: number }) => this.#isReleased || this.pending <= max;
    const ready = this.#waiters.filter(isReady);
    this.#waiters = this.#waiters.filter((waiter) => !isReady(waiter));
    for (const { done } of ready) done();
  }

  #cutBatch(maxBytes: number): StepEvent[] {
    const limit = this.#waiting.length > BACKLOG_STEPS ? MAX_BATCH_STEPS : LIVE_BATCH_STEPS;
    const batch: StepEvent[] = [];
    const names = new Set<string>();
    for (let bytes = 0; batch.length < limit; ) {
      const next = this.#waiting.first();
      if (!next) break;
      bytes += wireBytes(next, names);
      if (bytes > maxBytes && batch.length > 0) break;
      this.#takeOldest();
      batch.push(next);
    }
    return batch;
  }

  #takeOldest(): boolean {
    const step = this.#waiting.shift();
    if (step) this.#bytes -= heapBytes(step);
    return step !== undefined;
  }
}

/** First in, first out, in amortised constant time; `Array.shift` moves every element of a large array. */
class Queue<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  first(): Item | undefined {
    return this.#items[this.#head];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** Puts items in front, in their order. Takes as long as there are items. */
  unshift(items: readonly Item[]): void {
    this.#items = items.concat(this.#items.slice(this.#head) as Item[]);
    this.#head = 0;
  }

  shift(): Item | undefined {
    const item = this.#items[this.#head];
    if (this.#head === this.#items.length) return undefined;
    this.#items[this.#head++] = undefined; // the collector may have it
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) this.#compact();
    return item;
  }

  /** So many of those pushed last, or all. */
  newest(count: number): Item[] {
    return this.#items.slice(Math.max(this.#head, this.#items.length - count)) as Item[];
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
