import { type Database, judgedTo, listAlerts, markJudged, openAlert, recentSteps } from '@evenkeel/db';
import type { Alert, StepBatch, StepEvent } from '@evenkeel/protocol';
import { DETECTOR_MEMORY_STEPS, Detector, type Finding } from '@evenkeel/stability';
import type { Log } from './log.ts';

/** How many steps may be judged before it is noted how far; what is not noted is judged again after a crash. */
const MARK_EVERY_STEPS = 256;
/** Steps that are read to rebuild a detector: its memory, and what may have been stored but not judged. */
const REBUILD_STEPS = 10_000;

export interface JudgeOptions {
  db: Database;
  now: () => Date;
  log: Log;
  /** Called for each alert that was opened or escalated. */
  onAlert: (alert: Alert) => void;
}

interface Case {
  detector: Detector;
  attempt: number;
  /** The newest judged step, null before the first. */
  judged: number | null;
  /** The newest step that the database knows to be judged. */
  marked: number | null;
}

/**
 * Watches committed steps with one detector per run and opens alerts.
 * Detectors live in memory; after a restart a run's is rebuilt from its newest stored steps, and whatever was
 * committed but not judged before the restart is judged then.
 */
export class Judge {
  readonly #options: JudgeOptions;
  /** The end of each run's queue of judgements. */
  readonly #cases = new Map<string, Promise<Case | null>>();

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /**
   * Judges a stored batch, after all earlier ones of its run. What an attempt has told before is not judged again: sent
   * twice, it may not raise what somebody has resolved, nor rewind the detector to where it knows too little.
   */
  observe({ run, attempt, steps }: StepBatch): void {
    this.#enqueue(run, async (known) => {
      if (!known) return this.#rebuild(run);
      if (attempt < known.attempt) return known; // ghosts of a superseded attempt say nothing about the run
      const judged = attempt === known.attempt ? (known.judged ?? -1) : -1;
      const unjudged = steps.filter(({ step }) => step > judged);
      return this.#judge(run, { ...known, attempt }, unjudged);
    });
  }

  /** Judges what a former process stored and did not judge. */
  resume(run: string): void {
    this.#enqueue(run, (known) => known ?? this.#rebuild(run));
    this.forget(run);
  }

  /** Lets go of a run that has ended or gone silent; should it come back, its detector is rebuilt. */
  forget(run: string): void {
    this.#enqueue(run, async (known) => {
      if (known) await this.#mark(run, known);
      return null;
    });
  }

  /** Resolves when everything observed so far has been judged, and that has been noted. */
  async close(): Promise<void> {
    for (const run of this.#cases.keys()) this.forget(run);
    await Promise.all(this.#cases.values());
  }

  #enqueue(run: string, act: (known: Case | null) => Promise<Case | null> | Case): void {
    const former = this.#cases.get(run) ?? Promise.resolve(null);
    const next = former.then(act).catch((error) => {
      this.#options.log('error', `judging run ${run} failed; it is judged again at its next step or start`, error);
      return null;
    });
    this.#cases.set(run, next);
    void next.then((known) => {
      if (!known && this.#cases.get(run) === next) this.#cases.delete(run);
    });
  }

  async #rebuild(run: string): Promise<Case | null> {
    const { db } = this.#options;
    const known = await judgedTo(db, run);
    if (!known) return null;
    const steps = await recentSteps(db, { run, limit: REBUILD_STEPS });
    const firstUnjudged = Math.max(known.firstStep ?? 0, (known.judgedTo ?? -1) + 1);
    const unjudged = steps.findIndex(({ step }) => step >= firstUnjudged);
    const start = unjudged < 0 ? steps.length : unjudged;
    const detector = new Detector();
    for (const step of steps.slice(Math.max(0, start - DETECTOR_MEMORY_STEPS), start)) detector.observe(step);
    const rebuilt = { detector, attempt: known.attempt, judged: known.judgedTo, marked: known.judgedTo };
    return this.#judge(run, rebuilt, steps.slice(start), await this.#raised(run));
  }

  async #judge(run: string, known: Case, steps: readonly StepEvent[], raised?: Set<string>): Promise<Case> {
    for (const step of steps) {
      const findings = known.detector.observe(step);
      await this.#raise(run, raised ? findings.filter((finding) => !raised.has(nameOf(finding))) : findings);
    }
    const judged = { ...known, judged: steps.at(-1)?.step ?? known.judged };
    const isDue = Math.abs((judged.judged ?? 0) - (judged.marked ?? 0)) >= MARK_EVERY_STEPS;
    return isDue ? this.#mark(run, judged) : judged;
  }

  async #mark(run: string, known: Case): Promise<Case> {
    const { attempt, judged, marked } = known;
    if (judged !== null && judged !== marked) await markJudged(this.#options.db, { run, attempt, step: judged });
    return { ...known, marked: judged };
  }

  /** What has been raised for the run, so that judging some steps twice raises nothing twice. */
  async #raised(run: string): Promise<Set<string>> {
    const alerts = await listAlerts(this.#options.db, { run, limit: 1_000 });
    return new Set(alerts.map(nameOf));
  }

  async #raise(run: string, findings: readonly Finding[]): Promise<void> {
    for (const finding of findings) {
      const alert = await openAlert(this.#options.db, run, finding, this.#options.now());
      if (alert) this.#options.onAlert(alert);
    }
  }
}

function nameOf({ rule, step }: { rule: string; step: number }): string {
  return `${rule} ${step}`;
}
