import { describeUnderWay, finishRun, type StoredSteps, startRun, type TakenBatch } from '@evenkeel/db';
import {
  type Accepted,
  decodeSteps,
  type Principal,
  RefusedError,
  type RunDescribe,
  type RunFinish,
  type RunStart,
} from '@evenkeel/protocol';
import { type CommandsOptions, type Deliver, SenderCommands } from './commands.ts';
import type { Intake } from './intake.ts';
import { UNKNOWN } from './keys.ts';
import { readSteps } from './read-steps.ts';

/** Runs that one sender may have started and not finished. */
const RUNS_PER_SENDER = 1_000;

/** What a door knows of one that sends: a connection, a client of an HTTP API, a folder that is read. */
export interface Sender {
  principal: Principal;
  /** Left out where nothing can be delivered: commands then wait until they are asked for. */
  deliver?: Deliver;
  /** Called when its key has been revoked, or it has none although one is needed by now. */
  onRevoked?: () => void;
}

/** What a context needs of the service that it belongs to. */
export interface ContextOptions extends CommandsOptions {
  intake: Intake;
  /** Resolves once the batch is durable, with what was left out of it, or with why it was refused. */
  store: (batch: TakenBatch) => Promise<StoredSteps>;
  /** The sender of this run has sent something, which may yet be refused. */
  onContact: (run: string) => void;
  /** Nothing of this run is expected any more. */
  onFinished: (run: string) => void;
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
  readonly #id = String(++opened);
  /** The runs that it has started; steps wait for the start to be stored. */
  readonly #runs = new Map<string, Promise<unknown>>();
  #isRevoked = false;

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

  /** Opens a run, or the next attempt of one: needed before anything else is sent of it. */
  start(start: RunStart): Promise<Accepted> {
    return this.#verb(() => this.#start(start));
  }

  /** Changes what describes a run that is under way. */
  describe(described: RunDescribe): Promise<Accepted> {
    return this.#verb(async () => {
      await this.#started(described.run);
      this.#options.onContact(described.run);
      const { db, events } = this.#options;
      const isChanged = await describeUnderWay(db, described);
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
        return await intake.add(this.#id, payload, () => this.#steps(payload));
      } catch (error) {
        // It may have been refused unread: then it can be of any of these.
        if (error instanceof RefusedError && error.retry) for (const run of this.runs) onContact(run);
        throw error;
      }
    });
  }

  /** Ends an attempt, after all steps that were sent before. */
  finish(finish: RunFinish): Promise<Accepted> {
    return this.#verb(async () => {
      const { db, now, intake, events, onFinished } = this.#options;
      await this.#started(finish.run);
      await intake.settled(this.#id);
      const hasEnded = await finishRun(db, finish, now());
      this.#runs.delete(finish.run);
      this.commands.end(finish);
      onFinished(finish.run);
      const { run, attempt, status } = finish;
      if (hasEnded) events.publish({ kind: 'run ended', run, attempt, status });
      return ACCEPTED;
    });
  }

  /** The sender has gone, for now or for good. */
  close(): void {
    this.#options.onClosed(this);
  }

  /** From now on nothing more is taken. */
  revoke(): void {
    if (this.#isRevoked) return;
    this.#isRevoked = true;
    this.commands.revoke();
    this.#sender.onRevoked?.();
  }

  #verb(act: () => Promise<Accepted>): Promise<Accepted> {
    // whoever sends it again comes with another key, or is told for good that this one is revoked
    if (this.#isRevoked) return Promise.reject(new RefusedError('key', UNKNOWN, true));
    const done = act();
    this.#options.track(done);
    return done;
  }

  async #start(start: RunStart): Promise<Accepted> {
    const { db, now, events, onContact, checkKeys } = this.#options;
    const { run, attempt } = start;
    const former = this.#runs.get(run);
    if (!former && this.#runs.size >= RUNS_PER_SENDER) {
      throw new RefusedError('run', `more than ${RUNS_PER_SENDER} runs on one connection: finish some first`);
    }
    onContact(run);
    const stored = startRun(db, start, now(), this.principal.kind === 'key' ? this.principal.id : null);
    this.#runs.set(run, stored);
    try {
      await stored;
    } catch (error) {
      // A refused repetition does not undo the start before it.
      const isNewest = this.#runs.get(run) === stored;
      if (isNewest && former) this.#runs.set(run, former);
      else if (isNewest) this.#runs.delete(run);
      throw error;
    }
    // Whoever had the run before has no valid key any more, but may still be connected.
    if ((await stored).changedHands) await checkKeys();
    events.publish({ kind: 'run started', run, attempt });
    this.commands.begin(start);
    return ACCEPTED;
  }

  async #steps(payload: unknown): Promise<Accepted> {
    const { onContact, store, now } = this.#options;
    const batch = payload instanceof Uint8Array ? decodeSteps(payload) : readSteps(payload, now().getTime());
    const started = this.#started(batch.run);
    onContact(batch.run);
    await started;
    const result = await store(batch);
    if (result instanceof RefusedError) throw result;
    return result.length > 0 ? { ok: true, dropped: result } : ACCEPTED;
  }

  /** Resolves once the start of the run is stored. */
  #started(run: string): Promise<unknown> {
    const started = this.#runs.get(run);
    if (!started) throw new RefusedError('run', `run ${run} was not started on this connection`);
    return started;
  }
}
