import type { ReplayedAttempt } from './attempt-replay.ts';
import { Divergence, type DivergenceState } from './divergence.ts';
import type { Signals } from './signals.ts';
import { RewindPoints } from './timeline.ts';

/**
 * Looks for the divergence of a run in its recorded attempts, see {@link Divergence}. An attempt that rewinds continues
 * from the timeline before its first step, so a divergence that it superseded is not its own.
 */
export class DivergenceReplay {
  readonly #attempts: readonly ReplayedAttempt[];
  readonly #rewindPoints: RewindPoints<DivergenceState>;
  /** Where each attempt but the current one left the run diverged, by number. */
  readonly #onsets = new Map<number, number | null>();
  #divergence = new Divergence();
  #attempt: number | null = null;

  /** @param attempts all of the run that have steps, in order. */
  constructor(attempts: readonly ReplayedAttempt[]) {
    this.#attempts = attempts;
    this.#rewindPoints = new RewindPoints(attempts, this.#divergence.state());
  }

  /** Takes the next step: those of an attempt in order, attempt after attempt, superseded ones too. */
  observe(attempt: number, signals: Signals): void {
    if (attempt !== this.#attempt) this.#begin(attempt);
    this.#rewindPoints.advanceTo(signals.step, () => this.#divergence.state());
    this.#divergence.observe(signals);
  }

  /** Where the run as it stands now has diverged; null where it has not. */
  get onset(): number | null {
    const newest = this.#attempts.at(-1);
    const isOver = newest?.hasEnded && newest.number === this.#attempt;
    return isOver ? this.#divergence.atEnd : this.#divergence.at;
  }

  /** Where the run had diverged when an attempt left it, by the number of the attempt; null where it had not. */
  onsets(): Map<number, number | null> {
    const onsets = new Map(this.#onsets);
    return this.#attempt === null ? onsets : onsets.set(this.#attempt, this.onset);
  }

  #begin(number: number): void {
    if (this.#attempt !== null) this.#onsets.set(this.#attempt, this.#divergence.atEnd);
    this.#attempt = number;
    const attempt = this.#attempts.find((each) => each.number === number);
    const before = attempt ? this.#rewindPoints.begin(attempt, () => this.#divergence.state()) : null;
    if (before) this.#divergence = new Divergence(before);
  }
}
