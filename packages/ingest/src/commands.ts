import {
  acknowledgeCommand,
  type CommandRow,
  type Database,
  findCommand,
  pendingCommands,
  settleCommand,
} from '@evenkeel/db';
import {
  type Ack,
  type Command,
  type CommandDone,
  command,
  type EventPort,
  parse,
  RefusedError,
  storableReason,
} from '@evenkeel/protocol';
import { UNKNOWN } from './keys.ts';
import type { Log } from './log.ts';

export interface CommandsOptions {
  db: Database;
  now: () => Date;
  log: Log;
  events: EventPort;
  /** Keeps the server from closing before the work is done. */
  track: (work: Promise<unknown>) => void;
  /** A trainer cannot take a command now. */
  onPutOff: (id: string) => void;
}

/** An attempt of a run: a command is for one, and an older one of the same run is no party to it. */
export interface AttemptKey {
  run: string;
  attempt: number;
}

/** Sends a command to a trainer. Resolves with its answer, or with null where none came in time. */
export type Deliver = (command: Command) => Promise<Ack | null>;

/** The commands of the attempts that one sender has started. */
export class SenderCommands {
  readonly #options: CommandsOptions;
  readonly #deliver: Deliver | undefined;
  readonly #attempts = new Set<string>();
  #isRevoked = false;

  constructor(options: CommandsOptions, deliver: Deliver | undefined) {
    this.#options = options;
    this.#deliver = deliver;
  }

  /** From now on commands for the attempt are delivered here; first those that were given before. */
  begin(attempt: AttemptKey): void {
    this.#attempts.add(nameOf(attempt));
    if (this.#deliver) this.#options.track(this.#deliverPending(attempt));
  }

  end(attempt: AttemptKey): void {
    this.#attempts.delete(nameOf(attempt));
  }

  /** From now on nothing is delivered here, nor taken. */
  revoke(): void {
    this.#isRevoked = true;
  }

  /**
   * What the attempt has not acknowledged yet, in the order in which it was given: for who cannot be delivered to.
   * @throws RefusedError where the sender has not started the attempt.
   */
  async pending(attempt: AttemptKey): Promise<Command[]> {
    this.#checkStarted(attempt);
    const rows = await pendingCommands(this.#options.db, attempt.run, attempt.attempt);
    return rows.map(toCommand);
  }

  /**
   * The trainer has taken a command.
   * @throws RefusedError where there is none, or it is for an attempt that the sender has not started.
   */
  async acknowledge(key: Pick<Command, 'run' | 'id'>): Promise<void> {
    this.#checkStarted(await findCommand(this.#options.db, key));
    await this.#recordAnswer(key, { ok: true });
  }

  /**
   * The trainer has carried a command out, or could not.
   * @throws RefusedError where there is none, or it is for an attempt that the sender has not started.
   */
  async settle(done: CommandDone): Promise<void> {
    const { db, now, events } = this.#options;
    this.#checkStarted(await findCommand(db, done));
    await settleCommand(db, done, now());
    events.publish({ kind: 'command settled', run: done.run, id: done.id });
  }

  /** Sends a command where this sender has started its attempt, and can receive it. */
  deliver(attempt: number, given: Command): void {
    const isOwn = this.#attempts.has(nameOf({ run: given.run, attempt }));
    if (isOwn && this.#deliver && !this.#isRevoked) this.#send(given, this.#deliver);
  }

  #checkStarted(attempt: AttemptKey): void {
    if (this.#isRevoked) throw new RefusedError('key', UNKNOWN, true);
    if (this.#attempts.has(nameOf(attempt))) return;
    throw new RefusedError('run', 'its attempt was not started on this connection');
  }

  async #deliverPending(attempt: AttemptKey): Promise<void> {
    try {
      for (const row of await this.pending(attempt)) this.deliver(attempt.attempt, row);
    } catch (error) {
      this.#options.log('error', `reading the commands of run ${attempt.run} failed`, error);
    }
  }

  /** Not tracked before its answer has come: nobody waits for a trainer. */
  #send(given: Command, deliver: Deliver): void {
    const { log, track } = this.#options;
    deliver(given).then(
      (answer) => track(this.#tryToRecord(given, answer)),
      (error) => log('error', `delivering a command of run ${given.run} failed`, error),
    );
  }

  async #tryToRecord(given: Command, answer: Ack | null): Promise<void> {
    try {
      if (answer) await this.#recordAnswer(given, answer);
    } catch (error) {
      this.#options.log('error', `recording the answer to a command of run ${given.run} failed`, error);
    }
  }

  /** A command that the trainer asks to receive again later stays pending: it goes out with the attempt's next start. */
  async #recordAnswer({ run, id }: Pick<Command, 'run' | 'id'>, answer: Ack): Promise<void> {
    const { db, now, events, onPutOff } = this.#options;
    if ('ok' in answer) {
      await acknowledgeCommand(db, { run, id }, now());
      events.publish({ kind: 'command acknowledged', run, id });
    } else if (answer.retry) {
      onPutOff(id);
    } else {
      await settleCommand(db, { run, id, result: null, error: storableReason(answer.error) }, now());
      events.publish({ kind: 'command settled', run, id });
    }
  }
}

/** As a trainer receives it. */
export function toCommand({ factor, ...row }: CommandRow): Command {
  return parse(command, factor === null ? row : { ...row, factor });
}

function nameOf({ run, attempt }: AttemptKey): string {
  return `${run} ${attempt}`;
}
