import { AttemptReplay, type ReplayedAttempt } from './attempt-replay.ts';
import { Divergence } from './divergence.ts';
import type { Verdict } from './finding.ts';
import type { Severity, StepRule } from './rules/rule.ts';
import { STEP_RULES } from './rules/rules.ts';
import type { AnyRuleSettings } from './rules/settings.ts';
import type { Signals } from './signals.ts';
import { RewindPoints } from './timeline.ts';

/** An alert that would have been raised. */
export interface TriedAlert {
  /** The rule's name. */
  rule: string;
  /** The worst that it became. */
  severity: Severity;
  attempt: number;
  /** The step at which it would have opened. */
  step: number;
}

/**
 * Shows the recorded steps of a run to the rules, and records the alerts that would have been raised as it went. Only
 * rules that judge by steps: how long a run was silent by the server's clock is not stored.
 */
export class Trial {
  readonly alerts: TriedAlert[] = [];
  readonly #attempts: readonly ReplayedAttempt[];
  readonly #replay: AttemptReplay;
  readonly #rewindPoints: RewindPoints<ReturnType<Divergence['state']>>;
  #divergence = new Divergence();
  #attempt: number | null = null;

  /** @param attempts all of the run that have steps, in order. */
  constructor(
    attempts: readonly ReplayedAttempt[],
    settings: AnyRuleSettings = {},
    rules: readonly StepRule[] = STEP_RULES,
  ) {
    this.#attempts = attempts;
    this.#replay = new AttemptReplay(attempts, settings, rules);
    this.#rewindPoints = new RewindPoints(attempts, this.#divergence.state());
  }

  /** Where the run as it stands now has diverged, see {@link Divergence}; null where it has not. */
  get divergedAt(): number | null {
    const newest = this.#attempts.at(-1);
    const isOver = newest?.hasEnded && newest.number === this.#attempt;
    return isOver ? this.#divergence.atEnd : this.#divergence.at;
  }

  /** Takes the next step: those of an attempt in order, attempt after attempt, superseded ones too. */
  observe(attempt: number, signals: Signals): void {
    for (const verdict of this.#replay.observe(attempt, signals)) this.#record(attempt, verdict);
    if (attempt !== this.#attempt) this.#begin(attempt);
    this.#rewindPoints.advanceTo(signals.step, () => this.#divergence.state());
    this.#divergence.observe(signals);
  }

  #begin(number: number): void {
    this.#attempt = number;
    const attempt = this.#attempts.find((each) => each.number === number);
    const before = attempt ? this.#rewindPoints.begin(attempt, () => this.#divergence.state()) : null;
    if (before) this.#divergence = new Divergence(before);
  }

  #record(attempt: number, verdict: Verdict): void {
    if (verdict.kind === 'resolved') return;
    const { rule, severity, since: step } = verdict.finding;
    if (verdict.kind === 'opened') {
      this.alerts.push({ rule, severity, attempt, step });
      return;
    }
    const worse = this.alerts.findLast((alert) => alert.rule === rule);
    if (worse) worse.severity = severity;
  }
}
