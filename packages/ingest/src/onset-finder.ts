import { type Database, getRun, readSignals, runsWithoutOnset, saveOnsets } from '@evenkeel/db';
import { DivergenceReplay } from '@evenkeel/stability';
import type { Log } from './log.ts';

interface Options {
  db: Database;
  log: Log;
  /** Resolves when the steps of a run are judged: the last ones may yet raise alerts. */
  judged: (run: string) => Promise<void>;
}

/**
 * Finds out whether runs that are over diverged, where they had alerts: what their rules are measured by. Reads one run at
 * a time from its first step to its last, beside all else.
 */
export class OnsetFinder {
  readonly #options: Options;
  /** The round from which each run is due. */
  readonly #waiting = new Map<string, number>();
  /** Runs that failed, with the rounds from then to the next try. */
  readonly #failed = new Map<string, number>();
  readonly #closing = new AbortController();
  #work: Promise<void> | null = null;
  #round = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** A run may be over, or its steps others than before. */
  add(run: string): void {
    this.#waiting.set(run, 0);
  }

  /** Takes up what waits, unless that is being done. A run that failed is tried again ever more seldom. */
  start(): void {
    if (this.#waiting.size === 0) return;
    this.#work ??= this.#findAll().finally(() => {
      this.#work = null;
    });
  }

  /** Resolves when what waits and is due has been tried. */
  async idle(): Promise<void> {
    await this.#work;
    this.start();
    await this.#work;
  }

  /** Leaves what waits to the next process. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#work;
  }

  async #findAll(): Promise<void> {
    this.#round++;
    for (const [run, due] of [...this.#waiting]) {
      if (this.#closing.signal.aborted) return;
      if (due > this.#round) continue;
      this.#waiting.delete(run);
      try {
        await this.#find(run);
        this.#failed.delete(run);
      } catch (error) {
        const rounds = 2 * (this.#failed.get(run) ?? 1);
        this.#failed.set(run, rounds);
        this.#waiting.set(run, this.#round + rounds);
        this.#options.log('error', `finding out whether run ${run} diverged failed`, error);
      }
    }
  }

  async #find(run: string): Promise<void> {
    const { db, judged } = this.#options;
    await judged(run);
    const [due] = await runsWithoutOnset(db, [run]);
    const found = due && (await getRun(db, due));
    if (!found) return;
    const attempts = found.attempts.flatMap(({ number, firstStep, lastStep, removed }) =>
      firstStep === null || lastStep === null ? [] : [{ number, firstStep, lastStep, removed, hasEnded: true }],
    );
    const known = new Set(attempts.map(({ number }) => number)); // others have begun since
    const replay = new DivergenceReplay(attempts);
    for await (const chunk of readSignals(db, { run, from: null })) {
      if (this.#closing.signal.aborted) return;
      for (const { attempt, ...signals } of chunk) if (known.has(attempt)) replay.observe(attempt, signals);
    }
    const onsets = replay.onsets();
    const ofAttempts = attempts.map(({ number, lastStep, removed }) => ({
      ...{ attempt: number, onset: onsets.get(number) ?? null },
      ...{ lastStep, removed },
    }));
    if (!(await saveOnsets(db, run, ofAttempts))) this.add(run); // it has other steps since
  }
}
