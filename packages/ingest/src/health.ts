import { setTimeout } from 'node:timers/promises';
import { type Database, describeFailure, probeIngest } from '@evenkeel/db';
import type { CommitWatch } from './commit-watch.ts';
import type { Backlog } from './intake.ts';
import type { Log } from './log.ts';

// A database that fails is reported within two seconds: what is known of it is half a second old at
// most, and a probe that is not answered for a second says that it does not answer.

/** The result of a commit says whether steps can be stored for so long, in milliseconds; later the database is probed. */
const RECENT_MS = 500;
/** A commit that is in flight for longer stores nothing. */
const COMMIT_MS = 10_000;
const PROBE_EVERY_MS = 500;
/** How long whoever asks waits for a probe, which locks that are held keep for a quarter of one. */
const PROBE_ANSWER_MS = 1_000;
/** Longer than a commit takes whose every statement and connection runs into its timeout. */
const STUCK_MS = 10 * 60_000;

export interface HealthReport {
  status: 'ok' | 'failing';
  /** Why it is failing, as sentences for whoever runs the server; none where it is not. */
  reasons: string[];
  /** What the server has received and not stored yet, and its last commits; in milliseconds. */
  ingest: {
    unacknowledgedBatches: number;
    unacknowledgedBytes: number;
    oldestUnacknowledgedMs: number | null;
    commitInFlightMs: number | null;
    /** Null before the first. */
    lastCommit: { stored: boolean; agoMs: number } | null;
  };
}

interface HealthOptions {
  db: Database;
  now: () => number;
  log: Log;
  commits: CommitWatch;
  backlog: () => Backlog;
}

/** Whether the server is worth keeping alive, and whether it can store steps now: by what ingest has just seen. */
export class Health {
  readonly #options: HealthOptions;
  /** Settles with why steps cannot be stored, or null; kept until the database has answered, so that none piles up. */
  #probing: Promise<string | null> | null = null;
  #probed: { at: number; problem: string | null } | null = null;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** Failing where only a restart helps. A database that is away, or a long backlog, is no reason. */
  live(): HealthReport {
    return this.#report([this.#options.db.problem(), this.#stuck()]);
  }

  /** Failing where a batch that came now would not be stored. */
  async ready(): Promise<HealthReport> {
    const problem = this.#options.db.problem() ?? this.#stuck() ?? this.#heldUp() ?? (await this.#lastOrProbe());
    return this.#report([problem]);
  }

  /** Resolves when no probe is under way. */
  async idle(): Promise<void> {
    await this.#probing;
  }

  #report(problems: readonly (string | null)[]): HealthReport {
    const { commits, backlog, now } = this.#options;
    const { batches, bytes, oldest } = backlog();
    const { last, inFlightMs } = commits;
    const reasons = problems.filter((problem) => problem !== null);
    return {
      status: reasons.length === 0 ? 'ok' : 'failing',
      reasons,
      ingest: {
        unacknowledgedBatches: batches,
        unacknowledgedBytes: bytes,
        oldestUnacknowledgedMs: oldest === null ? null : now() - oldest,
        commitInFlightMs: inFlightMs,
        lastCommit: last && { stored: last.failure === null, agoMs: now() - last.at },
      },
    };
  }

  /** A batch waits, and for long no commit has come to an end: not even with an error, as one does in an outage. */
  #stuck(): string | null {
    const { commits, backlog, now } = this.#options;
    const since = Math.max(backlog().oldest ?? Number.POSITIVE_INFINITY, commits.last?.at ?? 0);
    if (now() - since <= STUCK_MS) return null;
    return `no commit of steps has ended for ${inSeconds(now() - since)}, though batches wait`;
  }

  #heldUp(): string | null {
    const { inFlightMs } = this.#options.commits;
    if (inFlightMs === null || inFlightMs <= COMMIT_MS) return null;
    return `a commit of steps has waited for the database for ${inSeconds(inFlightMs)}`;
  }

  async #lastOrProbe(): Promise<string | null> {
    const { commits, now } = this.#options;
    if (!commits.last || now() - commits.last.at > RECENT_MS) return this.#probe();
    return commits.last.failure === null ? null : describeFailure(commits.last.failure);
  }

  async #probe(): Promise<string | null> {
    if (this.#probed && this.#options.now() - this.#probed.at < PROBE_EVERY_MS) return this.#probed.problem;
    this.#probing ??= this.#startProbe();
    const answered = new AbortController();
    const late = setTimeout(PROBE_ANSWER_MS, 'the database does not answer', { signal: answered.signal });
    const problem = await Promise.race([this.#probing, late.catch(() => null)]);
    answered.abort();
    return problem;
  }

  async #startProbe(): Promise<string | null> {
    let problem: string | null = null;
    try {
      await probeIngest(this.#options.db);
    } catch (error) {
      problem = describeFailure(error);
      const isNews = this.#probed?.problem !== problem;
      if (isNews) this.#options.log('error', 'a probe of the database failed', error);
    }
    this.#probed = { at: this.#options.now(), problem };
    this.#probing = null;
    return problem;
  }
}

function inSeconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1_000)} seconds`;
}
