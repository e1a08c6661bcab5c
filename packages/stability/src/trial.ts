import { AttemptReplay, type ReplayedAttempt } from './attempt-replay.ts';
import { DivergenceReplay } from './divergence-replay.ts';
import type { Verdict } from './finding.ts';
import type { Severity, StepRule } from './rules/rule.ts';
import { STEP_RULES } from './rules/rules.ts';
import type { AnyRuleSettings } from './rules/settings.ts';
import type { Signals } from './signals.ts';

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
  readonly #replay: AttemptReplay;
  readonly #divergence: DivergenceReplay;

  /** @param attempts all of the run that have steps, in order. */
  constructor(
    attempts: readonly ReplayedAttempt[],
    settings: AnyRuleSettings = {},
    rules: readonly StepRule[] = STEP_RULES,
  ) {
    this.#replay = new AttemptReplay(attempts, settings, rules);
    this.#divergence = new DivergenceReplay(attempts);
  }

  /** Where the run as it stands now has diverged; null where it has not. */
  get divergedAt(): number | null {
    return this.#divergence.onset;
  }

  /** Takes the next step: those of an attempt in order, attempt after attempt, superseded ones too. */
  observe(attempt: number, signals: Signals): void {
    for (const verdict of this.#replay.observe(attempt, signals)) this.#record(attempt, verdict);
    this.#divergence.observe(attempt, signals);
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
