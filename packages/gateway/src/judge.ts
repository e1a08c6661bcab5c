import { type Database, listAlerts, openAlert, recentSteps } from '@evenkeel/db';
import type { Alert, StepBatch } from '@evenkeel/protocol';
import { DETECTOR_MEMORY_STEPS, Detector, type Finding } from '@evenkeel/stability';
import type { Log } from './log.ts';

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
}

/**
 * Watches committed steps with one detector per run and opens alerts.
 * Detectors live in memory; after a restart a run's is rebuilt from its newest stored steps, and whatever was
 * committed but not judged before the restart is judged then.
 */
export class Judge {
  readonly #options: JudgeOptions;
  readonly #cases = new Map<string, Promise<Case | null>>();

  constructor(options: JudgeOptions) {
    this.#options = options;
  }

  /** Judges a stored batch, after all earlier ones of its run. Never rejects. */
  observe(batch: StepBatch): Promise<unknown> {
    const former = this.#cases.get(batch.run) ?? Promise.resolve(null);
    const next = former.then((known) => this.#judge(known, batch)).catch((error) => this.#giveUp(batch.run, error));
    this.#cases.set(batch.run, next);
    return next;
  }

  /** Forgets a run that has ended or gone silent; should it come back, its detector is rebuilt. */
  forget(run: string): void {
    this.#cases.delete(run);
  }

  /** Resolves when every batch observed so far has been judged. */
  async idle(): Promise<void> {
    await Promise.all(this.#cases.values());
  }

  async #judge(known: Case | null, batch: StepBatch): Promise<Case> {
    if (!known) return this.#rebuild(batch);
    if (batch.attempt < known.attempt) return known; // ghosts of a superseded attempt say nothing about the run
    for (const step of batch.steps) await this.#raise(batch.run, known.detector.observe(step));
    return { detector: known.detector, attempt: batch.attempt };
  }

  async #rebuild({ run, attempt }: StepBatch): Promise<Case> {
    const { db } = this.#options;
    // The older half fills the detector's memory and is silent; the newer half is judged as if it just came.
    const steps = await recentSteps(db, { run, limit: 2 * DETECTOR_MEMORY_STEPS });
    const alerts = await listAlerts(db, { run, limit: 1_000 });
    const raised = new Set(alerts.map((alert) => `${alert.rule} ${alert.step}`));
    const silent = steps.length > DETECTOR_MEMORY_STEPS ? steps.length - DETECTOR_MEMORY_STEPS : 0;
    const detector = new Detector();
    for (const [at, step] of steps.entries()) {
      const findings = detector.observe(step).filter((finding) => !raised.has(`${finding.rule} ${finding.step}`));
      if (at >= silent) await this.#raise(run, findings);
    }
    return { detector, attempt };
  }

  async #raise(run: string, findings: readonly Finding[]): Promise<void> {
    for (const finding of findings) {
      const alert = await openAlert(this.#options.db, run, finding, this.#options.now());
      if (alert) this.#options.onAlert(alert);
    }
  }

  /** Without its detector the run is rebuilt from the database at its next batch, so that no finding is lost. */
  #giveUp(run: string, error: unknown): null {
    this.#options.log('error', `judging run ${run} failed; it will be judged again at its next step`, error);
    return null;
  }
}
