import { LEVEL_LOSSES, LossLevel, type LossLevelState, levelOf } from './rules/loss-level.ts';
import { VITAL_FIELDS } from './rules/non-finite.ts';
import { isFiniteNumber, Window, type WindowState } from './rules/window.ts';
import type { Signals } from './signals.ts';

/** More than this share of what had been learned is lost in a divergence … */
const LOST_SHARE = 0.5;
/** … for so many losses, or to the end. */
const LASTING_LOSSES = 40;

export interface DivergenceState {
  window: WindowState;
  level: LossLevelState;
  /** Losses since the level is up. */
  losses: number;
  /** Where the run has diverged for certain. */
  at: number | null;
}

/**
 * The step at which a run diverged: where its loss level rose above its best by half of what had been learned, 0.4 nats
 * at least, and stayed there for 40 losses or to the end; or the first step with a NaN or an infinity. A later recovery
 * changes nothing. This is a fact about recorded steps: no rule's settings change it.
 */
export class Divergence {
  readonly #window: Window;
  readonly #level: LossLevel;
  #losses: number;
  #at: number | null;

  constructor(state?: DivergenceState) {
    this.#window = new Window(LEVEL_LOSSES, state?.window);
    this.#level = new LossLevel(state?.level);
    this.#losses = state?.losses ?? 0;
    this.#at = state?.at ?? null;
  }

  state(): DivergenceState {
    return { window: this.#window.state(), level: this.#level.state(), losses: this.#losses, at: this.#at };
  }

  /** Where the run has diverged, whatever comes; null where it has not. */
  get at(): number | null {
    return this.#at;
  }

  /** Where the run has diverged if the last step is its end. */
  get atEnd(): number | null {
    return this.#at ?? this.#level.state().lostSince;
  }

  /** Takes the next step. */
  observe(signals: Signals): void {
    if (this.#at !== null) return;
    const { step, loss } = signals;
    if (VITAL_FIELDS.some((field) => signals[field] != null && !Number.isFinite(signals[field]))) {
      this.#at = this.atEnd ?? step;
      return;
    }
    if (!isFiniteNumber(loss)) return;
    this.#window.add(step, loss);
    const lost = this.#level.observe(step, levelOf(this.#window.values), LOST_SHARE);
    this.#losses = lost ? this.#losses + 1 : 0;
    if (lost && this.#losses >= LASTING_LOSSES) this.#at = lost.since;
  }
}

/** The step at which a run diverged by its recorded steps, see {@link Divergence}; null where it did not. */
export function divergedAt(steps: Iterable<Signals>): number | null {
  const divergence = new Divergence();
  for (const step of steps) divergence.observe(step);
  return divergence.atEnd;
}
