import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Database, insertSteps, markLostRuns, rollUp, runsToRollUp } from '@evenkeel/db';
import type { Alert, RefusedError, StepBatch } from '@evenkeel/protocol';
import type { Server } from 'socket.io';
import { GroupCommit } from './group-commit.ts';
import { Ingest } from './ingest.ts';
import { Judge } from './judge.ts';
import { Live } from './live.ts';
import type { Log } from './log.ts';

const SWEEP_MS = 10_000;
const ROLL_UP_MS = 1_000;
/** A run whose emitter has been gone this long counts as lost, until it comes back. */
const LOST_AFTER_MS = 60_000;

export interface GatewayOptions {
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
  readonly #startedAt: Date;
  readonly #commits: GroupCommit;
  readonly #judge: Judge;
  readonly #live: Live;
  readonly #ingest: Ingest;
  readonly #toRollUp = new Set<string>();
  readonly #timers: NodeJS.Timeout[];
  #rollingUp: Promise<void> = Promise.resolve();

  constructor(options: GatewayOptions) {
    const { io, db, now, log } = options;
    this.#options = options;
    this.#startedAt = now();
    io.use((_socket, next) => next(new Error('connect to the namespace /ingest or /live')));
    const viewers = io.of('/live');
    viewers.use((socket, next) => next(options.mayWatch(socket.request) ? undefined : new Error('sign in first')));
    this.#commits = new GroupCommit((batches) => insertSteps(db, batches, now()));
    this.#live = new Live({ namespace: viewers, db, log });
    this.#judge = new Judge({ db, now, log, onAlert: (alert) => this.#live.alertChanged(alert) });
    this.#ingest = new Ingest({
      namespace: io.of('/ingest'),
      db,
      now,
      log,
      store: (batch) => this.#store(batch),
      onRunStarted: (run) => this.#live.runChanged(run),
      onRunFinished: (run) => this.#runFinished(run),
    });
    this.#timers = [
      setInterval(() => void this.#sweep().catch((error) => log('error', 'the sweep failed', error)), SWEEP_MS),
      setInterval(() => this.#startRollingUp(), ROLL_UP_MS),
    ];
    void this.#resumeRollUps();
  }

  /** Asks the run's emitter to stop; false where it is not connected or did not acknowledge. */
  stopRun(run: string, reason: string): Promise<boolean> {
    return this.#ingest.sendCommand({ id: randomUUID(), run, kind: 'stop', reason });
  }

  alertChanged(alert: Alert): void {
    this.#live.alertChanged(alert);
  }

  /** To be called when a key was created or revoked, so that it holds for open connections at once. */
  keysChanged(): Promise<void> {
    return this.#ingest.checkKeys();
  }

  /** Finishes what is in flight: commits, judging and rollups. The socket.io server must be closed before. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#commits.idle();
    await this.#judge.idle();
    this.#live.close();
    await this.#rollingUp;
  }

  async #store(batch: StepBatch): Promise<RefusedError | null> {
    const refused = await this.#commits.add(batch);
    if (refused) return refused;
    this.#live.publish(batch);
    this.#toRollUp.add(batch.run);
    void this.#judge.observe(batch);
    return null;
  }

  #runFinished(run: string): void {
    this.#judge.forget(run);
    this.#live.runChanged(run);
  }

  async #sweep(): Promise<void> {
    await this.#ingest.checkKeys();
    const now = this.#options.now();
    const silentSince = new Date(now.getTime() - LOST_AFTER_MS);
    if (silentSince < this.#startedAt) return; // emitters get time to come back after a restart
    const lost = await markLostRuns(this.#options.db, { silentSince, connected: this.#ingest.connectedRuns() }, now);
    for (const run of lost) this.#runFinished(run);
  }

  /** Takes up the rollups that a former process left undone. */
  async #resumeRollUps(): Promise<void> {
    try {
      for (const run of await runsToRollUp(this.#options.db)) this.#toRollUp.add(run);
    } catch (error) {
      this.#options.log('error', 'finding unfinished rollups failed', error);
    }
  }

  #startRollingUp(): void {
    const runs = [...this.#toRollUp];
    this.#toRollUp.clear();
    this.#rollingUp = this.#rollingUp.then(() => this.#rollUpAll(runs));
  }

  async #rollUpAll(runs: readonly string[]): Promise<void> {
    for (const run of runs) {
      try {
        await rollUp(this.#options.db, run);
      } catch (error) {
        this.#toRollUp.add(run);
        this.#options.log('error', `rolling up run ${run} failed; it is tried again`, error);
      }
    }
  }
}
