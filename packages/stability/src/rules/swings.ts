import type { Lost } from './loss-level.ts';

/** A swing may be so many times as high, or as long, as every one before, and still be one of a wave. */
const WAVE = 1.5;

export interface SwingsState {
  /** Since when the loss is up, and the most by which it has been since, in nats; null where it is not. */
  rise: { since: number; height: number } | null;
  /** Of the rises that the run came back from: the greatest height in nats, and the most steps. */
  height: number;
  steps: number;
}

/** The rises of its loss level that a run came back from: where one came back, the next that is no worse will. */
export class Swings {
  #state: SwingsState;

  constructor(state: SwingsState = { rise: null, height: 0, steps: 0 }) {
    this.#state = { ...state };
  }

  state(): SwingsState {
    return { ...this.#state };
  }

  /** Forgets a rise that begins at a step or after it; everything where no loss before the step is left. */
  rewind(step: number, isEmpty: boolean): void {
    if (isEmpty) this.#state = { rise: null, height: 0, steps: 0 };
    else if (this.#state.rise && this.#state.rise.since >= step) this.#state.rise = null;
  }

  /** Returns whether the loss is up by more, or for longer, than a wave would be that goes on as before. */
  observe(step: number, lost: Lost | null): boolean {
    const { rise, height, steps } = this.#state;
    if (lost) {
      const above = lost.level - lost.best;
      this.#state.rise = { since: lost.since, height: Math.max(rise?.height ?? 0, above) };
      return above > WAVE * height || step - lost.since > WAVE * steps;
    }
    if (rise)
      this.#state = { rise: null, height: Math.max(height, rise.height), steps: Math.max(steps, step - rise.since) };
    return false;
  }
}
