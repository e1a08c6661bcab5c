import { DropCount, endStatus, type RunFinish, storableReason, time } from '@evenkeel/protocol';
import { CommandDesk } from './command-desk.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { Outbox, type OutboxLimits } from './outbox.ts';
import type {
  CommandHandler,
  DrainedOptions,
  EndStatus,
  FinishOptions,
  FinishResult,
  Run,
  StepInput,
} from './public.ts';
import { StepIntake } from './step-intake.ts';
import type { Warn } from './warn.ts';

const FINISH_TIMEOUT = 10_000;
/** The longest delay that `setTimeout` takes. */
const MAX_TIMEOUT = 2 ** 31 - 1;

type End = Omit<RunFinish, 'run' | 'attempt'>;

interface RunOptions extends Pick<ConnectionOptions, 'server' | 'handshake' | 'start' | 'warn' | 'timing'> {
  limits: OutboxLimits;
  /** Null where only `stop` is obeyed. */
  onCommand: CommandHandler | null;
}

export class LiveRun implements Run {
  readonly id: string;
  readonly attempt: number;
  readonly #warn: Warn;
  readonly #outbox: Outbox;
  readonly #drops = new DropCount();
  readonly #intake: StepIntake;
  readonly #connection: Connection;
  readonly #commands: CommandDesk;
  /** Aborted once nothing more will be sent. */
  readonly #over = new AbortController();
  #refused = false;
  #finishing: Promise<FinishResult> | null = null;

  /** Use `startRun`. */
  constructor(options: RunOptions) {
    const { start, warn, limits, onCommand } = options;
    this.id = start.run;
    this.attempt = start.attempt;
    this.#warn = warn;
    this.#outbox = new Outbox(limits);
    this.#intake = new StepIntake(start.layers.length, this.#drops, warn);
    this.#commands = new CommandDesk(start.run, onCommand, () => this.#connection.wake());
    this.#connection = new Connection({
      ...options,
      outbox: this.#outbox,
      commands: this.#commands,
      drops: this.#drops,
      onRefused: () => this.#giveUp(),
    });
  }

  get signal(): AbortSignal {
    return this.#commands.signal;
  }

  get pending(): number {
    return this.#outbox.pending;
  }

  readonly drained = async (max = 0, options?: DrainedOptions): Promise<void> => {
    const given = options?.signal;
    const over = given ? AbortSignal.any([given, this.#over.signal]) : this.#over.signal;
    const alive = setInterval(() => {}, MAX_TIMEOUT); // as nothing else here keeps the process so
    try {
      await until(this.#outbox.drained(max), over);
    } finally {
      clearInterval(alive);
    }
    given?.throwIfAborted();
  };

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
    this.#over.abort();
    const { lost, pending } = this.#outbox;
    if (lost > 0) this.#warn(`steps of this run that the server never took: ${lost}`);
    if (!ended && !this.#refused)
      this.#warn(`the end of this run is not with the server, nor its last steps: ${pending}`);
    return { delivered: ended && lost === 0, pending, dropped: this.#drops.values() };
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

/** Once a promise resolves or a signal is aborted, whichever is first. */
async function until(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let stop = () => {};
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
  });
  signal.addEventListener('abort', stop);
  await Promise.race([promise, aborted]);
  signal.removeEventListener('abort', stop);
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
