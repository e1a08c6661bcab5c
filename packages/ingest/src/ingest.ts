import type { IncomingMessage } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import {
  type CommandRow,
  type Database,
  findCommand,
  giveCommand,
  insertSteps,
  markLostRuns,
  rollUp,
  runsToJudge,
  runsToRollUp,
  type StoredSteps,
  type TakenBatch,
  touchRuns,
} from '@evenkeel/db';
import { type Action, type Alert, type Command, RefusedError } from '@evenkeel/protocol';
import type { RuleSettings } from '@evenkeel/stability';
import type { Server } from 'socket.io';
import { CommitWatch, HELD_UP_MS } from './commit-watch.ts';
import { GroupCommit } from './group-commit.ts';
import { Health, type HealthReport } from './health.ts';
import { Ingest } from './ingest.ts';
import { Intake } from './intake.ts';
import { Judge } from './judge.ts';
import { Live } from './live.ts';
import type { Log } from './log.ts';
import { Reception } from './reception.ts';
import { withoutDropped } from './without-dropped.ts';

const SWEEP_MS = 10_000;
const ROLL_UP_MS = 1_000;
const FORECAST_MS = 1_000;
/** A run whose emitter has been gone this long counts as lost, until it comes back. */
const LOST_AFTER_MS = 60_000;
/** How long the giver of a command waits for the trainer to acknowledge it. */
const COMMAND_ANSWER_MS = 5_000;

interface GatewayOptions {
  /** A socket.io server with `maxHttpBufferSize` of MAX_FRAME_BYTES; its owner closes it. */
  io: Server;
  db: Database;
  now: () => Date;
  log: Log;
  /** Whether the request that opened a `/live` connection may watch. */
  mayWatch: (request: IncomingMessage) => boolean;
}

/** The socket.io side of the server: `/ingest` for emitters, `/live` for viewers. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #reception: Reception;
  readonly #commitWatch: CommitWatch;
  readonly #health: Health;
  readonly #intake: Intake;
  readonly #commits: GroupCommit;
  readonly #judge: Judge;
  readonly #live: Live;
  readonly #ingest: Ingest;
  readonly #toRollUp = new Set<string>();
  readonly #timers: NodeJS.Timeout[];
  #background: Promise<void>;
  #isSweeping = false;

  constructor(options: GatewayOptions) {
    const { io, db, now, log } = options;
    this.#options = options;
    const nowMs = () => now().getTime();
    this.#reception = new Reception({ now: nowMs, everyMs: SWEEP_MS });
    this.#commitWatch = new CommitWatch({ now: nowMs, onGap: () => this.#reception.interrupted() });
    io.use((_socket, next) => next(new Error('connect to the namespace /ingest or /live')));
    const viewers = io.of('/live');
    viewers.use((socket, next) => next(options.mayWatch(socket.request) ? undefined : new Error('sign in first')));
    this.#intake = new Intake({ now: nowMs });
    this.#commits = new GroupCommit(
      this.#commitWatch.watch((batches) => insertSteps(db, batches, now())),
      log,
    );
    this.#health = new Health({
      db,
      now: nowMs,
      log,
      commits: this.#commitWatch,
      backlog: () => this.#intake.backlog,
    });
    this.#live = new Live({ namespace: viewers, db, log });
    this.#judge = new Judge({
      ...{ db, now, log },
      onAlert: (alert) => this.#live.alertChanged(alert),
      onCommand: (command) => void this.#deliver(command),
      onForecast: (run) => this.#live.runChanged(run),
    });
    this.#ingest = new Ingest({
      namespace: io.of('/ingest'),
      db,
      now,
      log,
      intake: this.#intake,
      store: (batch) => this.#store(batch),
      onContact: (run) => this.#reception.contact(run),
      onRunStarted: (run) => this.#live.runChanged(run),
      onRunFinished: (run) => this.#runFinished(run),
      onCommandChanged: (run) => this.#live.commandChanged(run),
      onDisconnect: (runs) => this.#keepAlive(runs),
    });
    this.#timers = [
      setInterval(() => this.#startSweep(), SWEEP_MS),
      setInterval(() => this.#startRollingUp(), ROLL_UP_MS),
      setInterval(() => this.#judge.noteForecasts(), FORECAST_MS),
    ];
    this.#background = this.#resume();
  }

  /**
   * Gives a command of a person to a run's newest attempt. Resolves once the trainer has acknowledged or refused it, or
   * after a few seconds: it is then pending, and goes out again when the trainer comes back.
   * @throws RefusedError where there is no such run, or it has ended.
   */
  async command(given: Pick<Command, 'run' | 'by' | 'reason'> & { action: Action }): Promise<CommandRow> {
    const row = await giveCommand(this.#options.db, given, this.#options.now());
    const tooLate = new AbortController();
    const late = setTimeout(COMMAND_ANSWER_MS, undefined, { signal: tooLate.signal }).catch(() => undefined);
    await Promise.race([this.#deliver(row), late]);
    tooLate.abort();
    return findCommand(this.#options.db, row);
  }

  /** The rules of a project have been told anew. */
  rulesChanged(project: string, rules: RuleSettings): void {
    this.#judge.retune(project, rules);
  }

  /** A person has described a run, archived it, brought it back or deleted it. */
  runEdited(run: string): void {
    this.#live.runEdited(run);
  }

  alertChanged(alert: Alert): void {
    this.#live.alertChanged(alert);
  }

  /** Whether the server is worth keeping alive: failing where only a restart helps. Asks no database. */
  live(): HealthReport {
    return this.#health.live();
  }

  /** Whether a batch that came now would be stored: as ingest has just seen, or else by a probe of the database. */
  ready(): Promise<HealthReport> {
    return this.#health.ready();
  }

  /** To be called when a key was created or revoked, so that it holds for open connections at once. */
  keysChanged(): Promise<void> {
    return this.#ingest.checkKeys();
  }

  /** Resolves when what has come in and what is due by now is done: commits, sweeps, rollups, judging. */
  async settled(): Promise<void> {
    await this.#ingest.idle();
    await this.#commits.idle();
    await this.#background;
    await this.#judge.idle();
  }

  /** Finishes what is in flight: messages, commits, judging and rollups. The socket.io server must be closed before. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#ingest.idle();
    await this.#live.close();
    await this.settled();
    await this.#judge.close();
    await this.#health.idle();
  }

  async #store(batch: TakenBatch): Promise<StoredSteps> {
    const result = await this.#commits.add(batch);
    if (result instanceof RefusedError) return result;
    this.#live.publish(withoutDropped(batch, result));
    this.#toRollUp.add(batch.run);
    this.#judge.observe(batch);
    return result;
  }

  #deliver(command: CommandRow): Promise<void> {
    this.#live.commandChanged(command.run);
    return this.#ingest.deliver(command);
  }

  #runFinished(run: string): void {
    this.#judge.forget(run);
    this.#reception.forget(run);
    this.#live.runChanged(run);
  }

  /** Queues work that goes on beside the ingest, one piece after another; a failure is logged and ends its piece only. */
  #inBackground(what: string, work: () => Promise<void>): void {
    this.#background = this.#background
      .then(work)
      .catch((error) => this.#options.log('error', `${what} failed`, error));
  }

  #startSweep(): void {
    this.#reception.tick();
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
    const { db, now } = this.#options;
    await this.#touchConnected();
    if ((this.#commitWatch.inFlightMs ?? 0) > HELD_UP_MS) this.#reception.interrupted();
    this.#judge.elapse((run) => this.#reception.silenceFrom(run));
    const silentSince = new Date(now().getTime() - LOST_AFTER_MS);
    if (!this.#reception.isWholeSince(silentSince.getTime())) return; // emitters get time to come back
    for (const run of await markLostRuns(db, { silentSince }, now())) this.#runFinished(run);
  }

  /** What cannot be written here, or only late, could not be stored elsewhere either. */
  async #touchConnected(): Promise<void> {
    const { db, now } = this.#options;
    const began = now().getTime();
    try {
      await this.#ingest.checkKeys();
      await touchRuns(db, this.#ingest.connectedRuns(), now());
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
      for (const run of await runsToRollUp(this.#options.db)) this.#toRollUp.add(run);
      for (const run of await runsToJudge(this.#options.db)) this.#judge.resume(run);
    } catch (error) {
      this.#options.log('error', 'finding what the former process left undone failed', error);
    }
  }

  #startRollingUp(): void {
    if (this.#toRollUp.size === 0) return;
    const runs = [...this.#toRollUp];
    this.#toRollUp.clear();
    for (const run of runs) {
      this.#inBackground(`rolling up run ${run}`, async () => {
        try {
          await rollUp(this.#options.db, run);
        } catch (error) {
          this.#toRollUp.add(run); // to be tried again
          throw error;
        }
      });
    }
  }
}
