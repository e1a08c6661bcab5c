import { DropCount, endStatus, type RunEnd, storableReason, time } from '@evenkeel/protocol';
import { CommandDesk } from './command-desk.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { type ExitingRun, unwatchExit, watchExit } from './exit-watch.ts';
import { Outbox, type OutboxLimits } from './outbox.ts';
import type {
  CommandHandler,
  DroppedValue,
  EndStatus,
  FinishOptions,
  FinishResult,
  OpenedAttempt,
  Run,
  StepInput,
  WaitOptions,
} from './public.ts';
import { Spool, type SpoolOptions, type SpoolTuning } from './spool.ts';
import { StepIntake } from './step-intake.ts';
import { until } from './until.ts';
import type { Warn } from './warn.ts';

const FINISH_TIMEOUT = 10_000;
/** Milliseconds that a signal waits for the end of the run to be delivered. */
const STOP_TIMEOUT = 2_000;
/** Milliseconds that the start of a run waits for the steps that an earlier process has left. */
const LEFT_BEHIND_TIMEOUT = 10_000;
/** The longest delay that `setTimeout` takes. */
const MAX_TIMEOUT = 2 ** 31 - 1;

interface RunOptions extends Pick<ConnectionOptions, 'server' | 'handshake' | 'start' | 'warn' | 'timing'> {
  limits: OutboxLimits;
  /** Null where only `stop` is obeyed. */
  onCommand: CommandHandler | null;
  spool: SpoolTuning;
  /** Of the spool; null for none. */
  folder: SpoolOptions['folder'];
  handleExit: boolean;
}

export class LiveRun implements Run {
  readonly id: string;
  readonly #warn: Warn;
  readonly #outbox: Outbox;
  /** What was left out here, and what the server left out. */
  readonly #ownDrops = new DropCount();
  readonly #drops = new DropCount();
  readonly #intake: StepIntake;
  readonly #connection: Connection;
  readonly #commands: CommandDesk;
  readonly #spool: Spool;
  readonly #exiting: ExitingRun;
  /** What `finish` was given, until the server has it. */
  #ending: RunEnd | null = null;
  #attempt: number | null;
  #announce: (opened: OpenedAttempt | null) => void = () => {};
  readonly #opened = new Promise<OpenedAttempt | null>((resolve) => {
    this.#announce = resolve;
  });
  #refused = false;
  #finishing: Promise<FinishResult> | null = null;

  /** Use `startRun`. */
  constructor(options: RunOptions) {
    const { start, server, warn, limits, onCommand, folder, spool: tuning } = options;
    this.id = start.run;
    this.#attempt = typeof start.attempt === 'number' ? start.attempt : null;
    this.#warn = warn;
    this.#outbox = new Outbox(limits);
    this.#intake = new StepIntake(start.layers.length, this.#ownDrops, warn);
    this.#commands = new CommandDesk(start.run, onCommand, () => this.#connection.wake());
    this.#connection = new Connection({
      ...options,
      outbox: this.#outbox,
      commands: this.#commands,
      ownDrops: this.#ownDrops,
      drops: this.#drops,
      onOpened: (opened) => this.#onOpened(opened),
      onRefused: () => this.#giveUp(),
    });
    const kept = { outbox: this.#outbox, drops: this.#ownDrops };
    this.#spool = new Spool({ folder, server: server.origin, start, ...kept, warn, tuning });
    this.#exiting = {
      handlesExit: options.handleExit,
      save: () => this.#spool.save(this.#ending && endedNow(this.#ending)),
      fail: (reason) => this.#spool.save(endedNow(this.#ending ?? { status: 'failed', reason })),
      stop: (signal) => withTimeout(STOP_TIMEOUT, this.finish('stopped', signal, { timeoutMs: STOP_TIMEOUT })),
    };
    watchExit(this.#exiting);
  }

  /** Connects, once the steps that an earlier process has left of this run are sent, if there are any. */
  connect(leftBehind: Promise<void> | null): void {
    if (!leftBehind) this.#connection.open();
    else void until(leftBehind, AbortSignal.timeout(LEFT_BEHIND_TIMEOUT)).finally(() => this.#connection.open());
  }

  get signal(): AbortSignal {
    return this.#commands.signal;
  }

  get pending(): number {
    return this.#outbox.pending;
  }

  get attempt(): number | null {
    return this.#attempt;
  }

  readonly opened = async (options?: WaitOptions): Promise<OpenedAttempt | null> => {
    let opened: OpenedAttempt | null = null;
    const isOpen = this.#opened.then((answer) => {
      opened = answer;
    });
    await this.#waitFor(isOpen, options);
    return opened;
  };

  readonly drained = (max = 0, options?: WaitOptions): Promise<void> =>
    this.#waitFor(this.#outbox.drained(max), options);

  /** Until a promise resolves, which it does when the run is over; rejects where the given signal is aborted before. */
  async #waitFor(promise: Promise<unknown>, options: WaitOptions | undefined): Promise<void> {
    const given = options?.signal;
    const alive = setInterval(() => {}, MAX_TIMEOUT); // as nothing else here keeps the process so
    try {
      // A signal of its own, since Node warns of many listeners to one.
      await (given ? until(promise, AbortSignal.any([given])) : promise);
    } finally {
      clearInterval(alive);
    }
    given?.throwIfAborted();
  }

  readonly log = (event: StepInput): void => {
    if (this.#refused) return;
    if (this.#finishing) {
      this.#warn('steps logged after finish() are dropped');
      return;
    }
    const step = this.#intake.take(event);
    if (!step) return;
    if (!this.#outbox.add(step)) this.#warn('the buffer is full: steps are dropped');
    this.#connection.wake();
    this.#spool.wake();
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

  async #finish(end: RunEnd, timeoutMs: number): Promise<FinishResult> {
    const began = Date.now();
    this.#ending = end;
    await withTimeout(timeoutMs / 2, this.#commands.idle()); // what is being carried out, such as a checkpoint, gets its time
    const answer = this.#refused ? false : await this.#end(end, timeoutMs - (Date.now() - began));
    this.#connection.close();
    this.#commands.close();
    unwatchExit(this.#exiting);
    const spool = this.#spool.close(answer === null ? endedNow(end) : null);
    this.#outbox.release();
    this.#announce(null);
    const { lost, pending } = this.#outbox;
    if (lost > 0) this.#warn(`steps of this run that the server never took: ${lost}`);
    if (answer === null) this.#warn(undelivered(pending, spool));
    return { delivered: answer === true && lost === 0, pending, spool, dropped: this.#allDropped() };
  }

  /** Whether the server takes the end; null where it does not answer in time. */
  #end(end: RunEnd, timeoutMs: number): Promise<boolean | null> {
    return withTimeout(timeoutMs, this.#connection.finish(end));
  }

  #allDropped(): DroppedValue[] {
    const all = new DropCount();
    all.addAll(this.#ownDrops.values());
    all.addAll(this.#drops.values());
    return all.values();
  }

  #onOpened(opened: OpenedAttempt): void {
    this.#attempt = opened.attempt;
    this.#announce(opened);
  }

  #giveUp(): void {
    this.#refused = true;
    this.#outbox.refuseAll();
    this.#connection.close();
    this.#spool.close(null);
    this.#announce(null);
  }

  #knownStatus(status: unknown): EndStatus {
    const known = endStatus.safeParse(status);
    if (!known.success) this.#warn(`finish() takes ${endStatus.options.join(', ')}; the run counts as finished`);
    return known.data ?? 'finished';
  }
}

/** The value of a promise, or null after `milliseconds`. Keeps the process alive, as nothing else here does. */
async function withTimeout<Value>(milliseconds: number, promise: Promise<Value>): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, milliseconds, null);
  });
  const first = await Promise.race([promise, tooLate]);
  clearTimeout(timer);
  return first;
}

/** An end that is delivered later than it happens. */
function endedNow(end: RunEnd): RunEnd {
  return { endedAt: Date.now(), ...end };
}

function undelivered(pending: number, spool: string | null): string {
  const kept = spool === null ? '' : ` (they are in ${spool}, for the next run here or "evenkeel sync")`;
  return `the end of this run is not with the server, nor its last steps: ${pending}${kept}`;
}

/** None where it is not a time that a server would take. */
function endTime(options: FinishOptions | undefined): Pick<RunEnd, 'endedAt'> {
  const { data } = time.safeParse(options?.endedAt);
  return data === undefined ? {} : { endedAt: data };
}

function timeout(options: FinishOptions | undefined): number {
  const timeoutMs: unknown = options?.timeoutMs;
  if (typeof timeoutMs !== 'number' || Number.isNaN(timeoutMs)) return FINISH_TIMEOUT;
  return Math.min(Math.max(timeoutMs, 0), MAX_TIMEOUT);
}
