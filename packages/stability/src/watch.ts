import type { Verdict } from './finding.ts';
import type { Assessment, Severity } from './rules/rule.ts';

export interface WatchState {
  /** Of the open alert; null where none is open. */
  open: Severity | null;
  /** The step at which it opened. */
  since: number;
  /** The first of the calm steps that go on until now; null where the last was not calm. */
  calmSince: number | null;
  /** No alert opens before this step, unless it is worse than the last … */
  quietUntil: number;
  /** … which had become this severe when it resolved; null where none has. */
  last: Severity | null;
}

interface WatchLimits {
  resolveSteps: number;
  cooldownSteps: number;
}

/** Of a rule that has none: its alert resolves as soon as it is calm, and may open again at once. */
const NO_LIMITS: WatchLimits = { resolveSteps: 0, cooldownSteps: 0 };

/** Turns what a rule makes of each step into the life of its one alert: opened, escalated, resolved. */
export class Watch {
  readonly #rule: string;
  readonly #limits: WatchLimits;
  readonly #state: WatchState;

  constructor(rule: string, limits = NO_LIMITS, state?: WatchState) {
    this.#rule = rule;
    this.#limits = limits;
    this.#state = state ? { ...state } : { open: null, since: 0, calmSince: null, quietUntil: 0, last: null };
  }

  state(): WatchState {
    return { ...this.#state };
  }

  get isOpen(): boolean {
    return this.#state.open !== null;
  }

  /** The run goes on from before the alert: it has not happened any more, and may happen again. */
  rewind(step: number): Verdict | null {
    const state = this.#state;
    if (state.calmSince !== null && state.calmSince >= step) state.calmSince = null;
    if (state.open === null || state.since < step) {
      // A cooldown that began after the step has not begun any more.
      if (state.open === null && state.since >= step) state.quietUntil = Math.min(state.quietUntil, step);
      return null;
    }
    state.quietUntil = step;
    return this.#resolve(step, `the run was rewound to step ${step}, before the alert`);
  }

  /** Another attempt begins: what the alert was about belongs to the one before. */
  newAttempt(step: number): Verdict | null {
    if (this.#state.open === null) return null;
    this.#state.calmSince = null;
    this.#state.quietUntil = step;
    return this.#resolve(step, `another attempt goes on from step ${step}`);
  }

  /** The run goes on far ahead: the step numbers between were not calm, since there were no steps. */
  leap(): void {
    this.#state.calmSince = null;
  }

  /** What the alert was about is over, for certain and at once. */
  resume(step: number): Verdict | null {
    return this.#state.open === null ? null : this.#resolve(step, `steps come again, the first is ${step}`);
  }

  observe(step: number, assessment: Assessment): Verdict | null {
    const { level } = assessment;
    this.#state.calmSince = level === 'calm' ? (this.#state.calmSince ?? step) : null;
    if (level === 'warning' || level === 'critical') return this.#raise(step, level, assessment);
    return level === 'calm' ? this.#settle(step) : null;
  }

  #raise(step: number, severity: Severity, { explain }: Assessment): Verdict | null {
    const state = this.#state;
    if (state.open === 'critical' || state.open === severity) return null;
    const isWorse = severity === 'critical' && state.last === 'warning';
    if (state.open === null && step < state.quietUntil && !isWorse) return null;
    const kind = state.open === null ? 'opened' : 'escalated';
    if (kind === 'opened') state.since = step;
    state.open = severity;
    return { kind, finding: { rule: this.#rule, severity, step, since: state.since, ...explain() } };
  }

  #settle(step: number): Verdict | null {
    const state = this.#state;
    const { resolveSteps, cooldownSteps } = this.#limits;
    if (state.open === null || state.calmSince === null || step - state.calmSince < resolveSteps) return null;
    state.quietUntil = step + cooldownSteps;
    return this.#resolve(step, `calm for ${step - state.calmSince} steps`);
  }

  #resolve(step: number, message: string): Verdict {
    this.#state.last = this.#state.open;
    this.#state.open = null;
    return { kind: 'resolved', rule: this.#rule, step, since: this.#state.since, message };
  }
}
