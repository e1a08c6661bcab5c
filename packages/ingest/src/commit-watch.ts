import { isDataRejected, type StoreBatches } from './group-commit.ts';

/** A commit that takes longer, in milliseconds, was held up: the server could store nothing meanwhile. */
export const HELD_UP_MS = 5_000;

/** When a commit ended, in milliseconds since 1970, and the error where it stored nothing; null where it did. */
export interface CommitEnd {
  at: number;
  failure: unknown;
}

interface CommitWatchOptions {
  now: () => number;
  /** Called when a commit has failed, or has ended after it was held up. */
  onGap: () => void;
}

/** The results of the last commits of steps. At most one is in flight. */
export class CommitWatch {
  readonly #options: CommitWatchOptions;
  /** When the commit in flight began; null where there is none. */
  #began: number | null = null;
  #last: CommitEnd | null = null;

  constructor(options: CommitWatchOptions) {
    this.#options = options;
  }

  get last(): CommitEnd | null {
    return this.#last;
  }

  /** For how long the commit in flight has been, in milliseconds; null where there is none. */
  get inFlightMs(): number | null {
    return this.#began === null ? null : this.#options.now() - this.#began;
  }

  /** The same store, watched. */
  watch(store: StoreBatches): StoreBatches {
    return async (slices) => {
      this.#began = this.#options.now();
      try {
        const refusals = await store(slices);
        this.#end(null);
        return refusals;
      } catch (error) {
        this.#end(isDataRejected(error) ? null : error);
        throw error;
      }
    };
  }

  #end(failure: unknown): void {
    const isGap = failure !== null || (this.inFlightMs ?? 0) > HELD_UP_MS;
    this.#began = null;
    this.#last = { at: this.#options.now(), failure };
    if (isGap) this.#options.onGap();
  }
}
