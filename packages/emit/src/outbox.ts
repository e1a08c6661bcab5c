import { ARRAY_FIELDS, MAX_BATCH_STEPS, SCALAR_FIELDS, type StepEvent } from '@evenkeel/protocol';

/** What a buffer may hold; the oldest steps go first when either is reached. */
export interface OutboxLimits {
  steps: number;
  /** Bytes of heap, estimated; the batch in flight, 1.5 MiB at most, comes on top. */
  bytes: number;
}

export const OUTBOX_LIMITS: OutboxLimits = { steps: 1_000_000, bytes: 256 * 1024 * 1024 };

/** Steps a message while the server keeps up: small enough to be stored and drawn at once. */
const LIVE_BATCH_STEPS = 64;
/** More steps waiting than this, and there is an outage to catch up with. */
const BACKLOG_STEPS = 4 * LIVE_BATCH_STEPS;
/** Bytes of heap. Keeps a frame below 1 MiB, since half of this and 201 KiB of names are the most that goes out. */
const MAX_BATCH_HEAP = 1.5 * 1024 * 1024;

/**
 * The steps that the server has not acknowledged yet, oldest first.
 * At most one batch is in flight; it stays the same, step for step, until it is acknowledged, refused or recalled.
 */
export class Outbox {
  readonly #limits: OutboxLimits;
  readonly #waiting = new Queue<StepEvent>();
  #inFlight: StepEvent[] = [];
  #bytes = 0;
  #lost = 0;
  #waiters: { most: number; done: () => void }[] = [];

  constructor(limits = OUTBOX_LIMITS) {
    this.#limits = limits;
  }

  /** Steps that are not acknowledged. */
  get pending(): number {
    return this.#inFlight.length + this.#waiting.length;
  }

  /** Steps given up so far: dropped because the buffer was full, or refused by the server. */
  get lost(): number {
    return this.#lost;
  }

  /** Takes a step; false where older ones had to be dropped for it. The batch in flight is never dropped. */
  add(step: StepEvent): boolean {
    this.#waiting.push(step);
    this.#bytes += heapBytes(step);
    const lost = this.#lost;
    while (this.pending > this.#limits.steps || this.#bytes > this.#limits.bytes) {
      if (!this.#takeOldest()) break;
      this.#lost += 1;
    }
    return this.#lost === lost;
  }

  /**
   * The batch in flight, or else the next one, which is in flight from now on; null where no step waits.
   * @param maxBytes what a new batch may take on the wire; the first step goes into it however large it is.
   */
  nextBatch(maxBytes = Number.POSITIVE_INFINITY): StepEvent[] | null {
    if (this.#inFlight.length === 0) this.#inFlight = this.#cutBatch(maxBytes);
    return this.#inFlight.length > 0 ? this.#inFlight : null;
  }

  /** Resolves once at most so many steps are pending. */
  drained(most: number): Promise<void> {
    return new Promise((done) => {
      this.#waiters.push({ most, done });
      this.#wake();
    });
  }

  /** The server has stored the batch in flight. */
  acknowledge(): void {
    this.#inFlight = [];
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
    this.#wake();
  }

  /** The server will never take any step of this run. */
  refuseAll(): void {
    this.#lost += this.pending;
    this.#inFlight = [];
    this.#waiting.clear();
    this.#bytes = 0;
    this.#wake();
  }

  #wake(): void {
    const ready = this.#waiters.filter(({ most }) => this.pending <= most);
    this.#waiters = this.#waiters.filter(({ most }) => this.pending > most);
    for (const { done } of ready) done();
  }

  #cutBatch(maxBytes: number): StepEvent[] {
    const limit = this.#waiting.length > BACKLOG_STEPS ? MAX_BATCH_STEPS : LIVE_BATCH_STEPS;
    const batch: StepEvent[] = [];
    const names = new Set<string>();
    for (let heap = 0, wire = 0; batch.length < limit; ) {
      const next = this.#waiting.first();
      if (!next) break;
      heap += heapBytes(next);
      wire += wireBytes(next, names);
      if ((heap > MAX_BATCH_HEAP || wire > maxBytes) && batch.length > 0) break;
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

/**
 * The heap that a step takes, as measured on Node 20: an object, boxed doubles, arrays of doubles, named scalars.
 * On the wire it takes at most half of that (20 bytes, 8 a scalar, 2 an array, 4 a value, 10 a custom scalar), besides
 * the names of custom scalars, which a batch lists once.
 */
function heapBytes(step: StepEvent): number {
  let bytes = 104;
  for (const { name } of SCALAR_FIELDS) if (step[name] != null) bytes += 24;
  for (const { name } of ARRAY_FIELDS) bytes += step[name] ? 48 + 8 * step[name].length : 0;
  return step.custom ? bytes + 64 * Object.keys(step.custom).length : bytes;
}

/** What a step adds to a frame; `names` are those that the frame has listed so far, and gains those of the step. */
function wireBytes(step: StepEvent, names: Set<string>): number {
  let bytes = 20;
  for (const { name } of SCALAR_FIELDS) if (step[name] != null) bytes += 8;
  for (const { name } of ARRAY_FIELDS) bytes += step[name] ? 2 + 4 * step[name].length : 0;
  if (!step.custom) return bytes;
  for (const name of Object.keys(step.custom)) {
    bytes += names.has(name) ? 10 : 12 + Buffer.byteLength(name);
    names.add(name);
  }
  return bytes + 2;
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

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
