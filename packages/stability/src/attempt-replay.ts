import { Detector, type DetectorState } from './detector.ts';
import type { Verdict } from './finding.ts';
import type { StepRule } from './rules/rule.ts';
import { STEP_RULES } from './rules/rules.ts';
import type { AnyRuleSettings } from './rules/settings.ts';
import type { Signals } from './signals.ts';
import { RewindPoints, type StartedAttempt } from './timeline.ts';

/** An attempt whose recorded steps are replayed. */
export interface ReplayedAttempt extends StartedAttempt {
  /** Whether its end was reported; the live judge forgets an attempt when it ends. */
  hasEnded: boolean;
}

/**
 * Replays a run's recorded attempts through a detector, as the live judge sees them. An attempt that begins while the
 * one before is still watched continues from the newest state; one that follows an end continues from the state of the
 * timeline before its first step.
 */
export class AttemptReplay {
  readonly #attempts: readonly ReplayedAttempt[];
  readonly #settings: AnyRuleSettings;
  readonly #rules: readonly StepRule[];
  readonly #rewindPoints: RewindPoints<DetectorState>;
  #detector: Detector;
  #attempt: ReplayedAttempt | undefined;

  /** @param attempts all of the run that have steps, in order. */
  constructor(
    attempts: readonly ReplayedAttempt[],
    settings: AnyRuleSettings = {},
    rules: readonly StepRule[] = STEP_RULES,
  ) {
    this.#attempts = attempts;
    this.#settings = settings;
    this.#rules = rules;
    this.#detector = new Detector(settings, { rules });
    this.#rewindPoints = new RewindPoints(attempts, this.#detector.state());
  }

  /** Takes the next step: those of an attempt in order, attempt after attempt, superseded ones too. */
  observe(attempt: number, signals: Signals): Verdict[] {
    if (attempt !== this.#attempt?.number) this.#begin(attempt);
    this.#rewindPoints.advanceTo(signals.step, () => this.#detector.state());
    return this.#detector.observe(signals);
  }

  #begin(number: number): void {
    const former = this.#attempt;
    const next = this.#attempts.find((attempt) => attempt.number === number);
    if (!next) throw new Error(`the run has no attempt ${number} with steps`);
    const before = this.#rewindPoints.begin(next, () => this.#detector.state());
    if (former?.hasEnded && before) this.#detector = Detector.restore(before, this.#settings, this.#rules);
    if (former) this.#detector.newAttempt(next.firstStep);
    this.#attempt = next;
  }
}
