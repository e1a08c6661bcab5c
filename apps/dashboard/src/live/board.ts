'use client';

import type { BoardChange, OpenAlert, RunStatus } from '@evenkeel/protocol';
import { coalesce } from './coalesce.ts';
import { addSample, type PaceSample, stepsPerSecond } from './pace.ts';

/** What the live connection sent about a run since the page opened. Replaced, never changed in place. */
export interface LiveRun {
  /** When it came, in milliseconds since 1970 by this machine's clock. */
  readonly at: number;
  readonly status: RunStatus;
  readonly lastStep: number | null;
  readonly loss: number | null;
  readonly tevMean: number | null;
  readonly risk: number | null;
  readonly divergenceStep: number | null;
  readonly divergenceInterval: readonly [number, number] | null;
  readonly openAlerts: readonly OpenAlert[];
  readonly pace: readonly PaceSample[];
}

/** Four times a second: numbers that change faster cannot be read. */
const NOTIFY_EVERY_MS = 250;
/** A page may stay open for weeks while runs come and go: of one that has ended, this is remembered for so long. */
const ENDED_KEPT_MS = 5 * 60_000;
/** Of those that run, those last seen longest ago are forgotten beyond so many. */
const MAX_RUNS = 10_000;

/** The newest state of every run, by run; a row listens to its own run alone. */
export class LiveBoard {
  private readonly runs = new Map<string, LiveRun>();
  private readonly listeners = new Map<string, Set<() => void>>();
  private readonly changed = new Set<string>();

  apply(changes: readonly BoardChange[], now: number): void {
    for (const change of changes) {
      const next = nextLiveRun(this.runs.get(change.run), change, now);
      this.runs.delete(change.run); // so that it becomes the last in order
      this.runs.set(change.run, next);
      this.changed.add(change.run);
    }
    this.forgetOldest(now);
    this.notify();
  }

  private forgetOldest(now: number): void {
    for (const [run, { at, status }] of this.runs) {
      const isCrowded = this.runs.size > MAX_RUNS;
      if (!isCrowded && now - at < ENDED_KEPT_MS) return;
      if ((isCrowded || status !== 'running') && !this.listeners.has(run)) this.runs.delete(run);
    }
  }

  get(run: string): LiveRun | undefined {
    return this.runs.get(run);
  }

  /** A new run, or one that began, ended or went back: more has changed than this message holds. */
  isNews({ run, status, lastStep }: BoardChange): boolean {
    const former = this.runs.get(run);
    return (
      former?.status !== status ||
      (lastStep ?? Number.NEGATIVE_INFINITY) < (former.lastStep ?? Number.NEGATIVE_INFINITY)
    );
  }

  subscribe(run: string, listener: () => void): () => void {
    const listeners = this.listeners.get(run) ?? new Set();
    this.listeners.set(run, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.listeners.delete(run);
    };
  }

  private readonly notify = coalesce(() => {
    for (const run of this.changed) for (const listener of this.listeners.get(run) ?? []) listener();
    this.changed.clear();
  }, NOTIFY_EVERY_MS);
}

function nextLiveRun(former: LiveRun | undefined, change: BoardChange, now: number): LiveRun {
  const { run: _, ...changed } = change;
  const loss = toNumber(change.loss);
  const tevMean = toNumber(change.tevMean);
  return { ...changed, at: now, loss, tevMean, pace: addSample(former?.pace ?? [], change.lastStep, now) };
}

/** JSON cannot hold non-finite numbers; they come as "NaN", "Infinity", "-Infinity". */
function toNumber(value: number | string | null): number | null {
  return value === null ? null : Number(value);
}

type LiveFields = Omit<LiveRun, 'at' | 'pace'>;

/** A run as read from the server at `readAt`, by this machine's clock, with what has come in since. */
export function withLive<Run extends LiveFields>(run: Run, readAt: number, live: LiveRun | undefined): Run {
  if (!live || live.at < readAt) return run;
  const { at: _at, pace: _pace, ...news } = live;
  return { ...run, ...news };
}

/** Steps a second at `now`; null where the run is not known to move. */
export function paceOf(run: LiveRun | undefined, now: number): number | null {
  return run?.status === 'running' ? stepsPerSecond(run.pace, now) : null;
}
