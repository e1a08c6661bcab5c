import {
  appendConsole,
  describeUnderWay,
  finishRun,
  type OpenedAttempt,
  recordConflicts,
  recordInert,
  recordReport,
  reportDropped,
  type StoredSteps,
  type TakenBatch,
} from '@evenkeel/db';
import {
  type Accepted,
  authorOf,
  type Conflict,
  type Principal,
  RefusedError,
  type RunConsole,
  type RunDescribe,
  type RunDropped,
  type RunFinish,
  type StartRequest,
} from '@evenkeel/protocol';
import pLimit from 'p-limit';
import { type CommandsOptions, type Deliver, SenderCommands } from './commands.ts';
import type { ConflictWatch } from './conflict-watch.ts';
import type { Intake } from './intake.ts';
import { UNKNOWN } from './keys.ts';
import { readSteps } from './read-steps.ts';
import { type InTurn, StartedRun } from './started-run.ts';

/** Runs that one sender may have started and not finished. */
const RUNS_PER_SENDER = 1_000;
/** Messages of console output that one sender may have unacknowledged. */
const CONSOLE_MESSAGES_PER_SENDER = 8;
const TOO_MUCH_CONSOLE = `more than ${CONSOLE_MESSAGES_PER_SENDER} messages of console output are not acknowledged yet: wait for their answers`;

/** The sender of a context: a connection, a client of an HTTP API, a folder that is read. */
export interface Sender {
  principal: Principal;
  /** Left out where nothing can be delivered: commands then wait until they are asked for. */
  deliver?: Deliver;
  /** Called when it goes on sending although that is refused: what it has sent is not worth reading any more. */
  onFlood?: () => void;
  /** Called when its key has been revoked, or it has none although one is needed by now. */
  onRevoked?: () => void;
}

/** What a context needs of the service that it belongs to. */
export interface ContextOptions extends CommandsOptions {
  intake: Intake;
  conflicts: ConflictWatch;
  inTurn: InTurn;
  /** Resolves once the batch is durable, with what was left out of it, or with why it was refused. */
  store: (batch: TakenBatch) => Promise<StoredSteps>;
  /** The sender of this run has sent something, which may yet be refused. */
  onContact: (run: string) => void;
  /** An attempt has ended, at this time in milliseconds since 1970: other senders may have started it too. */
  onFinished: (finish: RunFinish, at: number) => void;
  /** Keys may have lost their runs to another. */
  checkKeys: () => Promise<void>;
  onClosed: (context: IngestContext) => void;
}

const ACCEPTED: Accepted = { ok: true };
let opened = 0;

/**
 * The verbs of one sender. Each resolves once what it does is durable.
 * @throws RefusedError from every verb, where the sender got something wrong or may try again.
 */
export class IngestContext {
  readonly principal: Principal;
  /** Commands of the attempts that it has started. */
  readonly commands: SenderCommands;
  readonly #options: ContextOptions;
  readonly #sender: Sender;
  /** Unique among the senders of this process. */
  readonly id = String(++opened);
  /** The runs that it has started; steps wait for the start to be stored. */
  readonly #runs = new Map<string, StartedRun>();
  /** One message after the other, so that a line's newest text is stored last. */
  readonly #consoleInTurn = pLimit(1);
  #isClosed = false;
  #isRevoked = false;
  #isCutOff = false;

  constructor(options: ContextOptions, sender: Sender) {
    this.principal = sender.principal;
    this.commands = new SenderCommands(options, sender.deliver);
    this.#options = options;
    this.#sender = sender;
  }

  /** Ids of the runs that it has started and not finished. */
  get runs(): string[] {
    return [...this.#runs.keys()];
  }

  /**
   * Opens a run, or the next attempt of one: needed before anything else is sent of it.
   * @returns which attempt the sender's steps are of, and the newest one.
   */
  start(request: StartRequest): Promise<Accepted> {
    return this.#verb(() => this.#start(request));
  }

  /** Changes what describes a run that is under way. */
  describe(described: RunDescribe): Promise<Accepted> {
    return this.#verb(async () => {
      const started = this.#started(described.run);
      await started.opened;
      this.#options.onContact(described.run);
      const { db, events } = this.#options;
      const attempt = described.attempt === undefined ? undefined : await started.attemptOf(described.attempt);
      const isChanged = await describeUnderWay(db, { ...described, attempt });
      if (isChanged) events.publish({ kind: 'run described', run: described.run });
      return ACCEPTED;
    });
  }

  /**
   * Stores a batch of steps.
   * @param payload a frame of the binary codec, or the batch in the form of JSON; it is decoded when it is its turn.
   * @returns what was left out of it.
   */
  steps(payload: unknown): Promise<Accepted> {
    return this.#verb(async () => {
      const { intake, onContact } = this.#options;
      try {
        return await intake.add(this.id, payload, () => this.#steps(payload));
      } catch (error) {
        // It may have been refused unread: then it can be of any of these.
        if (error instanceof RefusedError && error.retry) for (const run of this.runs) onContact(run);
        throw error;
      }
    });
  }

  /** Counts what the sender itself has left out of its steps. */
  dropped({ run, attempt: number, dropped }: RunDropped): Promise<Accepted> {
    return this.#verb(async () => {
      const started = this.#started(run);
      await started.opened;
      this.#options.onContact(run);
      const { db, events } = this.#options;
      const attempt = await started.attemptOf(number);
      const isNews = await reportDropped(db, { run, attempt, source: started.session(), values: dropped });
      if (isNews) events.publish({ kind: 'run described', run });
      return ACCEPTED;
    });
  }

  /** Stores lines of the program's console output, beside its steps, which do not wait for them. */
  console(output: RunConsole): Promise<Accepted> {
    return this.#verb(async () => {
      const started = this.#started(output.run);
      const { activeCount, pendingCount } = this.#consoleInTurn;
      if (activeCount + pendingCount >= CONSOLE_MESSAGES_PER_SENDER) throw new RefusedError('', TOO_MUCH_CONSOLE, true);
      return this.#consoleInTurn(() => this.#console(started, output));
    });
  }

  /** Records in the run's history what its program reports, such as an alert of its own. */
  report({ run, attempt: number, reason }: { run: string; attempt: number; reason: string }): Promise<Accepted> {
    return this.#verb(async () => {
      const started = this.#started(run);
      await started.opened;
      this.#options.onContact(run);
      const { db, now, events } = this.#options;
      const attempt = await started.attemptOf(number);
      await recordReport(db, { run, attempt, by: authorOf(this.principal, null), reason }, now());
      events.publish({ kind: 'run described', run });
      return ACCEPTED;
    });
  }

  /** Ends an attempt, after all steps that were sent before. */
  finish(sent: RunFinish): Promise<Accepted> {
    return this.#verb(async () => {
      const { db, now, intake, events, conflicts, inTurn, onFinished } = this.#options;
      const started = this.#started(sent.run);
      await started.opened;
      await intake.settled(this.id);
      // Steps that were sent before it may have been refused: they come again, and the end after them.
      if (this.#isCutOff) throw new RefusedError('', 'this connection has sent too much: try again', true);
      const finish = { ...sent, attempt: await started.attemptOf(sent.attempt) };
      const at = now();
      const hasEnded = await inTurn(() => finishRun(db, finish, at));
      this.#runs.delete(finish.run);
      this.commands.end(finish);
      conflicts.leave(finish.run, this.id);
      onFinished(finish, at.getTime());
      const { run, attempt, status } = finish;
      if (hasEnded) events.publish({ kind: 'run ended', run, attempt, status });
      return ACCEPTED;
    });
  }

  /** Another sender has ended an attempt, at this time in milliseconds since 1970. */
  ended({ run, attempt }: RunFinish, at: number): void {
    void this.#runs.get(run)?.ended(attempt, at);
  }

  /** The sender has gone, for now or for good. */
  close(): void {
    this.#isClosed = true;
    for (const run of this.#runs.keys()) this.#options.conflicts.leave(run, this.id);
    this.#options.onClosed(this);
  }

  /** Nothing more of the sender is read. */
  cutOff(): void {
    this.#isCutOff = true;
    this.#sender.onFlood?.();
  }

  /** From now on nothing more is taken. */
  revoke(): void {
    if (this.#isRevoked) return;
    this.#isRevoked = true;
    this.commands.revoke();
    this.#sender.onRevoked?.();
  }

  #verb(act: () => Promise<Accepted>): Promise<Accepted> {
    // whoever sends it again comes with another key, or is refused for good
    if (this.#isRevoked) return Promise.reject(new RefusedError('key', UNKNOWN, true));
    const done = act();
    this.#options.track(done);
    return done;
  }

  async #start(request: StartRequest): Promise<Accepted> {
    const { db, now, inTurn, onContact, checkKeys, track } = this.#options;
    const { run } = request;
    const former = this.#runs.get(run);
    if (!former && this.#runs.size >= RUNS_PER_SENDER) {
      throw new RefusedError('run', `more than ${RUNS_PER_SENDER} runs on one connection: finish some first`);
    }
    onContact(run);
    const onReopened = ({ attempt }: OpenedAttempt) => this.#join(run, attempt, started);
    const started = new StartedRun({ db, now, request, principal: this.principal, inTurn, onReopened });
    this.#runs.set(run, started);
    const stored = started.opened;
    track(stored);
    try {
      await stored;
    } catch (error) {
      // A refused repetition does not undo the start before it.
      const wasOpened = await former?.opened.then(
        () => true,
        () => false,
      );
      const isNewest = this.#runs.get(run) === started;
      if (isNewest && former && wasOpened) this.#runs.set(run, former);
      else if (isNewest) this.#runs.delete(run);
      throw error;
    }
    const { attempt, newest, changedHands } = await stored;
    // Whoever had the run before has no valid key any more, but may still be connected.
    if (changedHands) await checkKeys();
    this.#join(run, attempt, started);
    return { ok: true, attempt, newest };
  }

  /** The sender is a party to an attempt's commands from now on. */
  #join(run: string, attempt: number, started: StartedRun): void {
    if (this.#isClosed) return; // it has left already
    this.#options.conflicts.join({ run, attempt }, this.id, started.writer(this.id));
    this.#options.events.publish({ kind: 'run started', run, attempt });
    this.commands.begin({ run, attempt });
  }

  async #steps(payload: unknown): Promise<Accepted> {
    if (this.#isRevoked) throw new RefusedError('key', UNKNOWN, true); // since it came
    const { onContact, store, now } = this.#options;
    const sent = readSteps(payload, now().getTime());
    const started = this.#started(sent.run);
    onContact(sent.run);
    const attempt = await started.attemptForSteps(sent.attempt);
    const steps = started.names ? await started.names.map(sent.steps) : sent.steps;
    const batch = { ...sent, steps, attempt };
    const dropped = await store(batch);
    if (dropped instanceof RefusedError) throw dropped;
    const conflicts = this.#compare(batch, started.writer(this.id));
    const warning = await started.whyInert(attempt);
    if (warning !== null) this.#recordInert(started, batch, warning);
    return {
      ok: true,
      ...(dropped.length > 0 && { dropped }),
      ...(attempt !== sent.attempt && { attempt }),
      ...(warning !== null && { warning }),
      ...(conflicts.length > 0 && { conflicts }),
    };
  }

  async #console(started: StartedRun, { run, attempt: number, lines }: RunConsole): Promise<Accepted> {
    await started.opened;
    if (this.#isRevoked) throw new RefusedError('key', UNKNOWN, true); // since it came
    const { db, events, onContact } = this.#options;
    onContact(run);
    const attempt = await started.attemptOf(number);
    await appendConsole(db.background, { run, attempt, lines }, started.sessionOrNull);
    events.publish({ kind: 'console stored', run });
    return { ok: true, ...(attempt !== number && { attempt }) };
  }

  #recordInert(started: StartedRun, { run, attempt }: TakenBatch, reason: string): void {
    const { db, now, log, events, track } = this.#options;
    if (!started.isFirstInert()) return;
    const recorded = recordInert(db, { run, attempt, by: authorOf(this.principal, null), reason }, now())
      .then(() => events.publish({ kind: 'run described', run }))
      .catch((error) => log('error', `recording that no policy acts on steps of run ${run} failed`, error));
    track(recorded);
  }

  /** @returns the conflicts that this sender has not received yet. */
  #compare(batch: TakenBatch, writer: string): Conflict[] {
    const { conflicts, track } = this.#options;
    const found = conflicts.compare(batch, writer);
    const [first] = found;
    if (first) track(this.#recordConflicts(batch, first, found.length));
    return conflicts.notices(batch, writer);
  }

  async #recordConflicts({ run, attempt }: TakenBatch, first: Conflict, count: number): Promise<void> {
    const { db, now, log, events } = this.#options;
    try {
      await recordConflicts(db, { run, attempt, count, ...first, by: authorOf(this.principal, null) }, now());
      events.publish({ kind: 'run described', run });
    } catch (error) {
      log('error', `recording conflicts of run ${run} failed`, error);
    }
  }

  /** @throws RefusedError where the sender has not started the run. */
  #started(run: string): StartedRun {
    const started = this.#runs.get(run);
    if (!started) throw new RefusedError('run', `run ${run} was not started on this connection`);
    return started;
  }
}
