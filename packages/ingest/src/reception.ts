/** A timer that is later, in milliseconds, shows that the process stood still: its event loop, or the whole machine. */
const LATE_MS = 5_000;

interface ReceptionOptions {
  /** The server's clock, in milliseconds since 1970. */
  now: () => number;
  /** How often `tick` is called. */
  everyMs: number;
}

/**
 * Since when the server could have received what its runs send. A run is silent only for as long as that: while the
 * process stood still or nothing could be stored, its steps were sent in vain, and its emitter needs time to send again.
 */
export class Reception {
  readonly #options: ReceptionOptions;
  /** The end of the last gap. */
  #since: number;
  #ticked: number;
  /** When something of a run came last, whether it was stored or not. */
  readonly #contacts = new Map<string, number>();

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#since = options.now();
    this.#ticked = options.now();
  }

  /** To be called by a timer: whether it is late shows whether the process ran. */
  tick(): void {
    const { now, everyMs } = this.#options;
    if (now() - this.#ticked > everyMs + LATE_MS) this.interrupted();
    this.#ticked = now();
  }

  /** Until now nothing could be received, or nothing stored. */
  interrupted(): void {
    this.#since = this.#options.now();
  }

  /** The emitter of a run has just sent something, even if it was refused. */
  contact(run: string): void {
    this.#contacts.set(run, this.#options.now());
  }

  forget(run: string): void {
    this.#contacts.delete(run);
  }

  /** Whether all has been received that was sent since a time, in milliseconds since 1970. */
  isWholeSince(time: number): boolean {
    return time >= this.#since;
  }

  /** From when on the silence of a run counts, in milliseconds since 1970. */
  silenceFrom(run: string): number {
    return Math.max(this.#since, this.#contacts.get(run) ?? 0);
  }
}
