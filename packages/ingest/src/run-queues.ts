import type { Log } from './log.ts';

interface RunQueuesOptions {
  log: Log;
  /** Nothing is kept of a run any more. */
  onLetGo: (run: string) => void;
}

/**
 * A queue of judgements for each run, one after another, each on what the one before has left: null where nothing is
 * kept of the run, as after one that failed.
 */
export class RunQueues<Case> {
  readonly #options: RunQueuesOptions;
  /** The end of each run's queue. */
  readonly #ends = new Map<string, Promise<Case | null>>();
  /** Runs whose judging failed, which may not have a next step. */
  readonly #failed = new Set<string>();

  constructor(options: RunQueuesOptions) {
    this.#options = options;
  }

  /** Runs of which something is kept, or being judged. */
  runs(): string[] {
    return [...this.#ends.keys()];
  }

  add(run: string, act: (known: Case | null) => Promise<Case | null> | Case | null): void {
    const former = this.#ends.get(run) ?? Promise.resolve(null);
    const next = former.then(act).catch((error) => {
      this.#options.log('error', `judging run ${run} failed; it is judged again within seconds`, error);
      this.#failed.add(run);
      return null;
    });
    this.#ends.set(run, next);
    void next.then((known) => {
      if (known || this.#ends.get(run) !== next) return;
      this.#ends.delete(run);
      this.#options.onLetGo(run);
    });
  }

  /** The runs whose judging has failed since this was asked last. */
  takeFailed(): string[] {
    const failed = [...this.#failed];
    this.#failed.clear();
    return failed;
  }

  /** Resolves when what has been added so far, of a run or of all, is done. */
  async done(run?: string): Promise<void> {
    await (run === undefined ? Promise.all(this.#ends.values()) : this.#ends.get(run));
  }
}
