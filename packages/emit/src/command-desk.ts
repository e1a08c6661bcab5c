import {
  type Ack,
  type Command,
  type CommandDone,
  command,
  parse,
  RefusedError,
  storableReason,
} from '@evenkeel/protocol';

/**
 * Carries a command out. Resolves once that is done, with what came of it in words for the history of the run; rejects
 * where it cannot be done.
 */
export type CommandHandler = (command: Command) => Promise<string | undefined> | string | undefined;

/** Takes the commands of a run, each once, and remembers what came of them until the server knows. */
export class CommandDesk {
  readonly #run: string;
  readonly #handler: CommandHandler | null;
  readonly #stop = new AbortController();
  readonly #taken = new Set<string>();
  readonly #reports: CommandDone[] = [];
  readonly #obeying = new Set<Promise<void>>();
  readonly #onReport: () => void;

  constructor(run: string, handler: CommandHandler | null, onReport: () => void) {
    this.#run = run;
    this.#handler = handler;
    this.#onReport = onReport;
  }

  /** Aborted when the run is told to stop; its `reason` is an Error that says why. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Answers what a server sent as a command, and obeys it. Never throws. */
  take(payload: unknown, answer: (ack: Ack) => void): void {
    try {
      const taken = this.#check(parse(command, payload));
      answer({ ok: true }); // first, since a trainer may exit as soon as it is told
      if (taken) this.#track(this.#obey(taken));
    } catch (error) {
      if (error instanceof RefusedError) answer(error.toRefusal());
    }
  }

  /** Resolves when every command that was taken is carried out, or could not be. */
  async idle(): Promise<void> {
    await Promise.all(this.#obeying);
  }

  #track(obeying: Promise<void>): void {
    this.#obeying.add(obeying);
    void obeying.then(() => this.#obeying.delete(obeying));
  }

  /** What the server is to be told next; it stays so until {@link reported}. */
  nextReport(): CommandDone | null {
    return this.#reports[0] ?? null;
  }

  reported(): void {
    this.#reports.shift();
  }

  /** Null for a command that was taken before. */
  #check(given: Command): Command | null {
    if (given.run !== this.#run) throw new RefusedError('run', `this is the emitter of run ${this.#run}`);
    if (given.kind !== 'stop' && !this.#handler)
      throw new RefusedError('kind', `this trainer carries out no ${given.kind}: it was started without onCommand`);
    if (this.#taken.has(given.id)) return null;
    this.#taken.add(given.id);
    return given;
  }

  async #obey(given: Command): Promise<void> {
    if (given.kind === 'stop') this.#stop.abort(new Error(given.reason));
    if (!this.#handler) return; // the end of the run tells that it was stopped
    const { run, id } = given;
    try {
      const result = await this.#handler(given);
      const words = typeof result === 'string' ? storableReason(result) : null;
      this.#reports.push({ run, id, result: words, error: null });
    } catch (error) {
      this.#reports.push({ run, id, result: null, error: wordsOf(error) });
    }
    this.#onReport();
  }
}

/** What a handler throws may itself be unprintable. */
function wordsOf(error: unknown): string {
  try {
    return storableReason(error instanceof Error ? error.message : String(error));
  } catch {
    return 'it failed, and could not say why';
  }
}
