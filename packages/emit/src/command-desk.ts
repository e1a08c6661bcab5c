import {
  type Ack,
  type Command,
  type CommandDone,
  command,
  parse,
  RefusedError,
  storableReason,
} from '@evenkeel/protocol';
import type { CommandHandler } from './public.ts';
import { wordsOf } from './words-of.ts';

/** Commands that may wait to be carried out or reported; further ones are refused, to be sent again later. */
const MAX_OPEN = 100;
/** Ids of commands remembered, to be carried out once however often they arrive; the oldest are forgotten. */
const MAX_REMEMBERED = 10_000;

/**
 * Takes the commands of a run, carries each out once, one after the other in the order in which they came, and keeps
 * the results until the server has them.
 */
export class CommandDesk {
  readonly #run: string;
  readonly #handler: CommandHandler | null;
  readonly #stop = new AbortController();
  readonly #taken = new Set<string>();
  readonly #queue: Command[] = [];
  readonly #reports: CommandDone[] = [];
  readonly #onReport: () => void;
  #working: Promise<void> | null = null;

  constructor(run: string, handler: CommandHandler | null, onReport: () => void) {
    this.#run = run;
    this.#handler = handler;
    this.#onReport = onReport;
  }

  /** Aborted as soon as the server asks the run to stop, whatever is being carried out; its `reason` is an Error that says why. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Answers what a server sent as a command, and obeys it. Never throws. */
  take(payload: unknown, answer: (ack: Ack) => void): void {
    try {
      const taken = this.#check(parse(command, payload));
      answer({ ok: true }); // first, since a trainer may exit as soon as it knows
      if (taken) this.#obey(taken);
    } catch (error) {
      if (error instanceof RefusedError) answer(error.toRefusal());
    }
  }

  /** Resolves when every command that was taken is carried out, or could not be. */
  async idle(): Promise<void> {
    await this.#working;
  }

  /** What still waits is not carried out any more: the run is over. */
  close(): void {
    this.#queue.length = 0;
  }

  /** The next report to send; it stays the next until {@link reported}. */
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
    const isFirstStop = given.kind === 'stop' && !this.signal.aborted; // always taken
    if (this.#open >= MAX_OPEN && !isFirstStop)
      throw new RefusedError(
        '',
        `${this.#open} commands wait to be carried out or reported: send it again later`,
        true,
      );
    this.#remember(given.id);
    return given;
  }

  get #open(): number {
    return this.#queue.length + this.#reports.length;
  }

  #remember(id: string): void {
    this.#taken.add(id);
    const [oldest] = this.#taken;
    if (oldest !== undefined && this.#taken.size > MAX_REMEMBERED) this.#taken.delete(oldest);
  }

  #obey(given: Command): void {
    if (given.kind === 'stop') this.#stop.abort(new Error(given.reason));
    const handler = this.#handler;
    if (!handler) return; // the end of the run says that it was stopped
    this.#queue.push(given);
    this.#working ??= this.#work(handler);
  }

  /** Carries out what waits, one command at a time: two saves at once would write one checkpoint. */
  async #work(handler: CommandHandler): Promise<void> {
    for (let next = this.#queue[0]; next; next = this.#queue[0]) {
      const report = await carryOut(next, handler);
      this.#queue.shift();
      this.#reports.push(report);
      this.#onReport();
    }
    this.#working = null;
  }
}

async function carryOut(given: Command, handler: CommandHandler): Promise<CommandDone> {
  const { run, id } = given;
  try {
    const result = await handler(given);
    return { run, id, result: typeof result === 'string' ? storableReason(result) : null, error: null };
  } catch (error) {
    return { run, id, result: null, error: wordsOf(error) };
  }
}
