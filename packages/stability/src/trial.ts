import { Detector, type DetectorState, type StepRule } from './detector.ts';
import type { Severity, Verdict } from './finding.ts';
import type { RuleOverrides } from './rules/settings.ts';
import type { Signals } from './signals.ts';

/** An alert that a run would have been given. */
export interface TriedAlert {
  rule: StepRule;
  /** The worst that it became. */
  severity: Severity;
  attempt: number;
  /** The step at which it would have opened. */
  step: number;
}

export interface TriedAttempt {
  number: number;
  firstStep: number;
  /** Whether it was told to be over: who watched it then let go of it. */
  hasEnded: boolean;
}

const OFF = { enabled: false };
/** What tells that a run has diverged, whatever its project's rules are told. */
const FACTS: RuleOverrides = { 'tev-growth': OFF, 'grad-variance': OFF, stalled: OFF };

/**
 * Shows the recorded steps of a run to the rules, and notes the alerts that would have been raised as it went. All but
 * those of `stalled`, which goes by the server's clock: what that said is not kept.
 */
export class Trial {
  readonly alerts: TriedAlert[] = [];
  readonly #asTold: Retold;
  readonly #facts: Retold;
  #attempt: number | null = null;
  #divergedAt: number | null = null;

  /** @param attempts all of the run that have steps, in order. */
  constructor(attempts: readonly TriedAttempt[], overrides: RuleOverrides = {}) {
    this.#asTold = new Retold(attempts, { ...overrides, stalled: OFF });
    this.#facts = new Retold(attempts, FACTS);
  }

  /** The step from which on the run as it stands now has lost what it had learnt, or its numbers; null where it has not. */
  get divergedAt(): number | null {
    return this.#divergedAt;
  }

  /** Takes the next step: those of an attempt in order, attempt after attempt, superseded ones too. */
  observe(attempt: number, signals: Signals): void {
    const isNew = attempt !== this.#attempt;
    this.#attempt = attempt;
    if (isNew && this.#divergedAt !== null && signals.step <= this.#divergedAt) this.#divergedAt = null;
    for (const verdict of this.#asTold.observe(attempt, signals)) this.#note(attempt, verdict);
    for (const verdict of this.#facts.observe(attempt, signals)) this.#divergedAt ??= divergence(verdict);
  }

  #note(attempt: number, verdict: Verdict): void {
    if (verdict.kind === 'resolved') return;
    const { severity, since: step } = verdict.finding;
    const rule = verdict.finding.rule as StepRule;
    if (verdict.kind === 'opened') {
      this.alerts.push({ rule, severity, attempt, step });
      return;
    }
    const worse = this.alerts.findLast((alert) => alert.rule === rule);
    if (worse) worse.severity = severity;
  }
}

function divergence(verdict: Verdict): number | null {
  if (verdict.kind === 'resolved' || verdict.finding.severity !== 'critical') return null;
  return verdict.finding.divergenceStep ?? verdict.finding.step;
}

/**
 * A detector that is shown a run's attempts as the live judge shows it them. One that goes on while it is being watched
 * goes on from what was seen last; one that follows an end, from what is left of the timeline before its first step.
 */
class Retold {
  readonly #attempts: readonly TriedAttempt[];
  readonly #overrides: RuleOverrides;
  #detector: Detector;
  #attempt: TriedAttempt | undefined;
  /** Later attempts that begin within what was seen, the earliest beginning last, and the memory as it was there. */
  #memories: { firstStep: number; state: DetectorState }[] = [];
  /** Where later attempts begin that the current one has not reached yet, descending. */
  #ahead: number[] = [];

  constructor(attempts: readonly TriedAttempt[], overrides: RuleOverrides) {
    this.#attempts = attempts;
    this.#overrides = overrides;
    this.#detector = new Detector(overrides);
  }

  observe(attempt: number, signals: Signals): Verdict[] {
    if (attempt !== this.#attempt?.number) this.#begin(attempt);
    while ((this.#ahead.at(-1) ?? Number.POSITIVE_INFINITY) <= signals.step) {
      this.#memories.push({ firstStep: this.#ahead.pop() as number, state: this.#detector.state() });
    }
    return this.#detector.observe(signals);
  }

  #begin(number: number): void {
    const former = this.#attempt;
    const next = this.#attempts.find((attempt) => attempt.number === number);
    if (!next) throw new Error(`the run has no attempt ${number} with steps`);
    if (former?.hasEnded) this.#goBack(next.firstStep);
    if (former) this.#detector.newAttempt(next.firstStep);
    this.#attempt = next;
    this.#lookAhead(next);
  }

  #goBack(firstStep: number): void {
    const memory = this.#memories.find((known) => known.firstStep === firstStep);
    if (memory) this.#detector = Detector.restore(memory.state, this.#overrides);
  }

  /** What was remembered of steps that this attempt takes over is told anew by its own. */
  #lookAhead({ number, firstStep }: TriedAttempt): void {
    this.#memories = this.#memories.filter((memory) => memory.firstStep <= firstStep);
    const later = this.#attempts.filter((attempt) => attempt.number > number && attempt.firstStep > firstStep);
    const starts = new Set(later.map((attempt) => attempt.firstStep));
    this.#ahead = [...starts].sort((one, other) => other - one);
  }
}
