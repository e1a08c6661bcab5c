import { median } from '../statistics.ts';

/** A level is the median of so many losses: one bad batch does not make it. */
export const LEVEL_LOSSES = 9;
/** A smaller rise, in nats, is no loss of what had been learned. */
const MIN_RISE = 0.4;

export interface LossLevelState {
  /** The first level and the lowest. */
  first: number | null;
  best: number | null;
  /** Since which step more than the share is lost. */
  lostSince: number | null;
}

/** What a run has lost of what it had learned, in nats but for the step. */
export interface Lost {
  since: number;
  level: number;
  best: number;
  first: number;
}

/** The level of the newest losses; of all where there are fewer than {@link LEVEL_LOSSES}. */
export function levelOf(losses: readonly number[]): number {
  return median(losses.slice(-LEVEL_LOSSES));
}

/** Follows the level of a run's losses, and says since when it has been far above its best. */
export class LossLevel {
  #state: LossLevelState;

  constructor(state?: LossLevelState) {
    this.#state = { first: state?.first ?? null, best: state?.best ?? null, lostSince: state?.lostSince ?? null };
  }

  state(): LossLevelState {
    return { ...this.#state };
  }

  /** Forgets a step and all after it. @param best the lowest level before it; null where no loss before it is left. */
  rewind(step: number, best: number | null): void {
    const state = this.#state;
    state.best = best;
    if (best === null) state.first = null;
    if (best === null || (state.lostSince !== null && state.lostSince >= step)) state.lostSince = null;
  }

  /** Null where no more than the share of what had been learned is lost. */
  observe(step: number, level: number, share: number): Lost | null {
    const state = this.#state;
    state.first ??= level;
    state.best = Math.min(state.best ?? level, level);
    const { first, best } = state;
    state.lostSince = level - best > Math.max(share * (first - best), MIN_RISE) ? (state.lostSince ?? step) : null;
    return state.lostSince === null ? null : { since: state.lostSince, level, best, first };
  }
}
