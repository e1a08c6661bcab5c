import { type EndStatus, endStatus, type RunFinish, storableReason, time } from '@evenkeel/protocol';
import { CommandDesk, type CommandHandler } from './command-desk.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { Outbox, type OutboxLimits } from './outbox.ts';
import { type StepInput, StepIntake } from './step-intake.ts';
import type { Warn } from './warn.ts';

const FINISH_TIMEOUT = 10_000;
/** The longest delay that `setTimeout` takes. */
const MAX_TIMEOUT = 2 ** 31 - 1;

export interface FinishOptions {
  /** Milliseconds that the server is given to take what is still pending; 10,000 by default. */
  timeoutMs?: number;
  /** When the run ended, in milliseconds since 1970, where that is not now. */
  endedAt?: number;
}

export interface FinishResult {
  /** Whether the server has every step that `log` took, and the end of the run. */
  delivered: boolean;
  /** Steps that the server has not acknowledged. */
  pending: number;
}

type End = Omit<RunFinish, 'run' | 'attempt'>;

interface RunOptions extends Pick<ConnectionOptions, 'server' | 'handshake' | 'start' | 'warn' | 'timing'> {
  limits: OutboxLimits;
  /** Null where only `stop` is obeyed. */
  onCommand: CommandHandler | null;
}

/** A run that is being recorded. No method of it throws, whatever it is given and whatever the server does. */
export class Run {
  readonly id: string;
  readonly attempt: number;
  readonly #warn: Warn;
  readonly #outbox: Outbox;
  readonly #intake: StepIntake;
  readonly #connection: Connection;
  readonly #commands: CommandDesk;
  #refused = false;
  #finishing: Promise<FinishResult> | null = null;

  /** Use `startRun`. */
  constructor(options: RunOptions) {
    const { start, warn, limits, onCommand } = options;
    this.id = start.run;
    this.attempt = start.attempt;
    this.#warn = warn;
    this.#outbox = new Outbox(limits);
    this.#intake = new StepIntake(start.layers.length, warn);
    this.#commands = new CommandDesk(start.run, onCommand, () => this.#connection.wake());
    this.#connection = new Connection({
      ...options,
      outbox: this.#outbox,
      commands: this.#commands,
      onRefused: () => this.#giveUp(),
    });
  }

  /** Aborted when the server asks the run to stop; its `reason` is an Error that says why. */
  get signal(): AbortSignal {
    return this.#commands.signal;
  }

  /** Steps that the server has not acknowledged yet. */
  get pending(): number {
    return this.#outbox.pending;
  }

  /**
   * Resolves once at most so many steps are pending. A trainer has no use for it: it is for who reads steps faster than
   * a server takes them. It resolves late, or never, where the server cannot be reached.
   */
  readonly drained = (most = 0): Promise<void> => this.#outbox.drained(most);

  /** Records a step. The event is copied, so the caller may use it again. */
  readonly log = (event: StepInput): void => {
    if (this.#refused) return;
    if (this.#finishing) {
      this.#warn('steps logged after finish() are dropped');
      return;
    }
    const step = this.#intake.take(event);
    if (!step) return;
    if (!this.#outbox.add(step)) this.#warn('the buffer is full: the oldest steps are dropped');
    this.#connection.wake();
  };

  /**
   * Sends what is pending, ends the run and disconnects. Never rejects, and resolves within `timeoutMs`; only until
   * then does it keep the process alive. What is pending by then is lost.
   */
  readonly finish = (
    status: EndStatus = 'finished',
    reason?: string,
    options?: FinishOptions,
  ): Promise<FinishResult> => {
    const end = {
      status: this.#knownStatus(status),
      reason: typeof reason === 'string' ? storableReason(reason) : null,
      ...endTime(options),
    };
    this.#finishing ??= this.#finish(end, timeout(options));
    return this.#finishing;
  };

  async #finish(end: End, timeoutMs: number): Promise<FinishResult> {
    const began = Date.now();
    await within(timeoutMs / 2, this.#commands.idle()); // what is being carried out, such as a checkpoint, gets its time
    const ended = !this.#refused && (await this.#end(end, timeoutMs - (Date.now() - began)));
    this.#connection.close();
    this.#commands.close();
    const { lost, pending } = this.#outbox;
    if (lost > 0) this.#warn(`steps of this run that the server never took: ${lost}`);
    if (!ended && !this.#refused)
      this.#warn(`the end of this run is not with the server, nor its last steps: ${pending}`);
    return { delivered: ended && lost === 0, pending };
  }

  async #end(end: End, timeoutMs: number): Promise<boolean> {
    const taken = this.#connection.finish({ run: this.id, attempt: this.attempt, ...end });
    return (await within(timeoutMs, taken)) ?? false;
  }

  #giveUp(): void {
    this.#refused = true;
    this.#outbox.refuseAll();
    this.#connection.close();
  }

  #knownStatus(status: unknown): EndStatus {
    const known = endStatus.safeParse(status);
    if (!known.success) this.#warn(`finish() takes ${endStatus.options.join(', ')}; the run counts as finished`);
    return known.data ?? 'finished';
  }
}

/** What a promise resolves to, null where it takes longer. Keeps the process alive, as nothing else here does. */
async function within<Value>(milliseconds: number, promise: Promise<Value>): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, milliseconds, null);
  });
  const first = await Promise.race([promise, tooLate]);
  clearTimeout(timer);
  return first;
}

/** None where it is not a time that a server would take. */
function endTime(options: FinishOptions | undefined): Pick<End, 'endedAt'> {
  const { data } = time.safeParse(options?.endedAt);
  return data === undefined ? {} : { endedAt: data };
}

function timeout(options: FinishOptions | undefined): number {
  const timeoutMs: unknown = options?.timeoutMs;
  if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs)) return FINISH_TIMEOUT;
  return Math.min(Math.max(timeoutMs, 0), MAX_TIMEOUT);
}
