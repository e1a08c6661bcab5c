import { setTimeout } from 'node:timers/promises';
import {
  type CommandRow,
  type Database,
  findCommand,
  giveCommand,
  insertSteps,
  markLostRuns,
  readRules,
  rollUp,
  runsToJudge,
  runsToRollUp,
  runsWithoutOnset,
  type StoredSteps,
  type TakenBatch,
  touchRuns,
} from '@evenkeel/db';
import {
  type Action,
  authorOf,
  type Command,
  type DroppedValue,
  type EventPort,
  type Principal,
  RefusedError,
  type ServerEvent,
} from '@evenkeel/protocol';
import pLimit from 'p-limit';
import { toCommand } from './commands.ts';
import { CommitWatch, HELD_UP_MS } from './commit-watch.ts';
import { ConflictWatch } from './conflict-watch.ts';
import { type ContextOptions, IngestContext, type Sender } from './context.ts';
import { GroupCommit } from './group-commit.ts';
import { Health, type HealthReport } from './health.ts';
import { Intake } from './intake.ts';
import { Judge } from './judge.ts';
import { authenticate, KnownSenders, readAdmitted } from './keys.ts';
import type { Log } from './log.ts';
import { OnsetFinder } from './onset-finder.ts';
import { Reception } from './reception.ts';
import { withoutDropped } from './without-dropped.ts';

const SWEEP_MS = 10_000;
const ROLL_UP_MS = 1_000;
const FORECAST_MS = 1_000;
const ONSET_MS = 2_000;
const JUDGE_MS = 250;
/** A run whose emitter has been gone this long counts as lost, until it comes back. */
const LOST_AFTER_MS = 60_000;
/**
 * Attempts that are opened or ended at once. Each takes some ten statements: when a thousand emitters come back together,
 * steps must not wait for connections to the database behind all of them.
 */
const OPENED_AT_ONCE = 4;
/** How long the giver of a command waits for the trainer to acknowledge it. */
const COMMAND_ANSWER_MS = 5_000;
/** How long who asks for commands waits for the judging of what it has sent. */
const JUDGED_MS = 5_000;

export interface IngestOptions {
  db: Database;
  now: () => Date;
  log: Log;
  events: EventPort;
}

/**
 * The core without sockets: takes what trainers send, whichever way it comes, stores, judges and rolls it up, and
 * publishes what happened. An entry point, such as the gateway, opens a context for each of its senders and calls its verbs.
 */
export class Ingest {
  readonly #options: IngestOptions;
  readonly #reception: Reception;
  readonly #commitWatch: CommitWatch;
  readonly #health: Health;
  readonly #intake: Intake;
  readonly #commits: GroupCommit;
  readonly #judge: Judge;
  readonly #onsets: OnsetFinder;
  readonly #contexts = new Set<IngestContext>();
  readonly #senders = new KnownSenders();
  readonly #contextOptions: ContextOptions;
  readonly #answers = new Map<string, () => void>();
  readonly #toRollUp = new Set<string>();
  readonly #working = new Set<Promise<unknown>>();
  readonly #timers: NodeJS.Timeout[];
  readonly #unsubscribe: () => void;
  #background: Promise<void>;
  #retuning: Promise<void> = Promise.resolve();
  #isSweeping = false;

  constructor(options: IngestOptions) {
    const { db, now, log, events } = options;
    this.#options = options;
    const nowMs = () => now().getTime();
    this.#reception = new Reception({ now: nowMs, everyMs: SWEEP_MS });
    this.#commitWatch = new CommitWatch({ now: nowMs, onGap: () => this.#reception.interrupted() });
    this.#intake = new Intake({
      now: nowMs,
      onFlood: (id) => [...this.#contexts].find((context) => context.id === id)?.cutOff(),
    });
    this.#commits = new GroupCommit(
      this.#commitWatch.watch((batches) => this.#insert(batches)),
      log,
    );
    this.#health = new Health({
      db,
      now: nowMs,
      log,
      commits: this.#commitWatch,
      backlog: () => this.#intake.backlog,
    });
    this.#judge = new Judge({ ...options, db: db.background });
    this.#onsets = new OnsetFinder({ db: db.background, log, judged: (run) => this.#judge.judged(run) });
    this.#contextOptions = this.#forContexts();
    this.#unsubscribe = events.subscribe((event) => this.#receive(event));
    this.#timers = [
      setInterval(() => this.#startSweep(), SWEEP_MS),
      setInterval(() => this.#startRollingUp(), ROLL_UP_MS),
      setInterval(() => this.#onsets.start(), ONSET_MS),
      setInterval(() => this.#judge.saveForecasts(), FORECAST_MS),
      setInterval(() => this.#judge.judgeDue(), JUDGE_MS),
    ];
    this.#background = this.#resume();
  }

  /**
   * Who presents an ingest key, or none.
   * @throws RefusedError by the field `key` where it is unknown or revoked, or missing although one is needed.
   */
  authenticate(key: string | undefined): Promise<Principal> {
    return authenticate(this.#options.db, key, this.#options.now());
  }

  /**
   * The same for one request of many, without asking the database each time. Keys that this process changes count at once;
   * those that another one changes after ten seconds, as for connections.
   */
  authenticateRequest(key: string | undefined): Promise<Principal> {
    return this.#senders.authenticate(key, () => this.authenticate(key));
  }

  /** A context for one sender, until it is closed. A run that it has started counts as connected until then. */
  open(sender: Sender): IngestContext {
    const context = new IngestContext(this.#contextOptions, sender);
    this.#contexts.add(context);
    return context;
  }

  /**
   * Gives a command to a run's newest attempt. Resolves once the trainer has acknowledged or refused it, or after a few
   * seconds: it is then pending, and goes out again when the trainer comes back.
   * @param by the name that was typed, for a principal that has none.
   * @throws RefusedError where there is no such run, or it has ended.
   */
  async command(
    principal: Principal,
    { by, ...given }: Pick<Command, 'run' | 'by' | 'reason'> & { action: Action },
  ): Promise<CommandRow> {
    const { db, now, events } = this.#options;
    const row = await giveCommand(db, { ...given, by: authorOf(principal, by) }, now());
    const tooLate = new AbortController();
    const late = setTimeout(COMMAND_ANSWER_MS, undefined, { signal: tooLate.signal }).catch(() => undefined);
    const answered = new Promise<void>((resolve) => this.#answers.set(row.id, resolve));
    events.publish({ kind: 'command given', attempt: row.attempt, command: toCommand(row) });
    await Promise.race([answered, late]);
    tooLate.abort();
    this.#answers.delete(row.id);
    return findCommand(db, row);
  }

  /**
   * Resolves when what is stored of a run is judged, but for steps that may not be complete yet, or after a moment: for a
   * sender that asks for commands seldom.
   */
  async judged(run: string): Promise<void> {
    const isJudged = new AbortController();
    const late = setTimeout(JUDGED_MS, undefined, { signal: isJudged.signal }).catch(() => undefined);
    await Promise.race([this.#judge.judged(run), late]);
    isJudged.abort();
  }

  /** Whether the server is worth keeping alive: failing where only a restart helps. Asks no database. */
  live(): HealthReport {
    return this.#health.live();
  }

  /** Whether a batch that came now would be stored: as ingest has just seen, or else by a probe of the database. */
  ready(): Promise<HealthReport> {
    return this.#health.ready();
  }

  /** Resolves when what has come in and what is due by now is done: commits, sweeps, rollups, judging, outcomes of runs. */
  async settled(): Promise<void> {
    await this.#workDone();
    await this.#judge.idle();
    await this.#onsets.idle();
  }

  async #workDone(): Promise<void> {
    await Promise.allSettled(this.#working);
    await this.#commits.idle();
    await this.#background;
    await this.#retuning;
  }

  /** Finishes what is in flight: verbs, commits, judging and rollups. Entry points must be closed before. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#workDone(); // steps that are not whole yet are left to the next process
    this.#unsubscribe();
    await this.#onsets.close();
    await this.#judge.close();
    await this.#health.idle();
  }

  #forContexts(): ContextOptions {
    const { db, now, log, events } = this.#options;
    return {
      db,
      now,
      log,
      events,
      intake: this.#intake,
      conflicts: new ConflictWatch(),
      inTurn: pLimit(OPENED_AT_ONCE),
      track: (work) => this.#track(work),
      store: (batch) => this.#commits.add(batch),
      onContact: (run) => this.#reception.contact(run),
      onFinished: (finish, at) => {
        for (const context of this.#contexts) context.ended(finish, at);
        this.#release(finish.run);
      },
      checkKeys: () => this.#checkKeys(),
      onPutOff: (id) => this.#answers.get(id)?.(),
      onClosed: (context) => {
        if (this.#contexts.delete(context)) this.#keepAlive(context.runs);
      },
    };
  }

  #track(work: Promise<unknown>): void {
    const done = work.catch(() => {}).finally(() => this.#working.delete(done));
    this.#working.add(done);
  }

  /** Part by part: of a large batch that fails midway the steps before are stored, whether or not it comes again. */
  async #insert(batches: TakenBatch[]): Promise<StoredSteps[]> {
    const { db, now } = this.#options;
    const results = await insertSteps(db, batches, now());
    for (const [at, batch] of batches.entries()) {
      const result = results[at];
      if (result && !(result instanceof RefusedError)) this.#stored(batch, result);
    }
    return results;
  }

  #stored(batch: TakenBatch, dropped: readonly DroppedValue[]): void {
    if (batch.steps.length === 0) return; // all of them were left out
    this.#options.events.publish({ kind: 'steps stored', batch: withoutDropped(batch, dropped) });
    this.#toRollUp.add(batch.run);
    this.#judge.observe(batch);
  }

  #receive(event: ServerEvent): void {
    if (event.kind === 'rules changed') this.#startRetuning(event.project);
    if (event.kind === 'step removed') this.#judge.revise(event);
    if (event.kind === 'step removed' || event.kind === 'run ended') this.#onsets.add(event.run);
    if (event.kind === 'keys changed') {
      this.#senders.forget();
      this.#track(this.#checkKeysSafely());
    }
    if (event.kind === 'command given') {
      for (const { commands } of this.#contexts) commands.deliver(event.attempt, event.command);
    }
    if (event.kind === 'command acknowledged' || event.kind === 'command settled') this.#answers.get(event.id)?.();
  }

  /** Runs that are under way are judged by the new rules from their next step on. */
  #startRetuning(project: string): void {
    const { db, log } = this.#options;
    this.#retuning = this.#retuning
      .then(async () => this.#judge.retune(project, await readRules(db, project)))
      .catch((error) => log('error', `applying the new rules of project ${project} failed`, error));
  }

  /** Closes the contexts of principals that may not send any more. */
  async #checkKeys(): Promise<void> {
    const isAdmitted = await readAdmitted(this.#options.db);
    for (const context of this.#contexts) if (!isAdmitted(context.principal)) context.revoke();
  }

  /** What fails here is made up for by the next sweep. */
  async #checkKeysSafely(): Promise<void> {
    await this.#checkKeys().catch((error) => this.#options.log('error', 'checking the ingest keys failed', error));
  }

  /** Nothing of the run is expected any more. */
  #release(run: string): void {
    this.#judge.forget(run);
    this.#reception.forget(run);
  }

  /** Queues work that goes on beside the ingest, one piece after another; a failure is logged and ends its piece only. */
  #inBackground(what: string, work: () => Promise<void>): void {
    this.#background = this.#background
      .then(work)
      .catch((error) => this.#options.log('error', `${what} failed`, error));
  }

  #startSweep(): void {
    this.#reception.tick();
    this.#senders.forget();
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.#inBackground('the sweep for silent runs', async () => {
      try {
        await this.#sweep();
      } finally {
        this.#isSweeping = false;
      }
    });
  }

  async #sweep(): Promise<void> {
    const { db, now, events } = this.#options;
    await this.#touchConnected();
    if ((this.#commitWatch.inFlightMs ?? 0) > HELD_UP_MS) this.#reception.interrupted();
    this.#judge.elapse((run) => this.#reception.silenceFrom(run));
    const silentSince = new Date(now().getTime() - LOST_AFTER_MS);
    if (!this.#reception.isWholeSince(silentSince.getTime())) return; // emitters get time to come back
    for (const run of await markLostRuns(db, { silentSince }, now())) {
      this.#release(run);
      events.publish({ kind: 'run ended', run, attempt: null, status: 'lost' });
    }
  }

  /** What cannot be written here, or only late, could not be stored elsewhere either. */
  async #touchConnected(): Promise<void> {
    const { db, now } = this.#options;
    const began = now().getTime();
    try {
      await this.#checkKeys();
      const connected = [...this.#contexts].flatMap(({ runs }) => runs);
      await touchRuns(db, connected, now());
    } catch (error) {
      this.#reception.interrupted();
      throw error;
    }
    if (now().getTime() - began > HELD_UP_MS) this.#reception.interrupted();
  }

  /** The time until a run counts as lost runs from when its emitter went, not from its last step. */
  #keepAlive(runs: string[]): void {
    if (runs.length === 0) return;
    this.#inBackground('noting a lost connection', () => touchRuns(this.#options.db, runs, this.#options.now()));
  }

  /** Takes up what a former process left undone. */
  async #resume(): Promise<void> {
    try {
      for (const run of await runsToRollUp(this.#options.db.background)) this.#toRollUp.add(run);
      for (const run of await runsToJudge(this.#options.db.background)) this.#judge.resume(run);
      for (const run of await runsWithoutOnset(this.#options.db.background)) this.#onsets.add(run);
    } catch (error) {
      this.#options.log('error', 'finding what the former process left undone failed', error);
    }
  }

  #startRollingUp(): void {
    if (this.#toRollUp.size === 0) return;
    const runs = [...this.#toRollUp];
    this.#toRollUp.clear();
    this.#inBackground('rolling up', async () => {
      const behind = await runsToRollUp(this.#options.db.background, runs).catch((error) => {
        for (const run of runs) this.#toRollUp.add(run); // to be tried again
        throw error;
      });
      for (const run of behind) await this.#rollUp(run);
    });
  }

  async #rollUp(run: string): Promise<void> {
    try {
      await rollUp(this.#options.db.background, run);
    } catch (error) {
      this.#toRollUp.add(run); // to be tried again
      this.#options.log('error', `rolling up run ${run} failed`, error);
    }
  }
}
