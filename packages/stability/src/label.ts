import { divergedAt } from './divergence.ts';
import { LEVEL_LOSSES, levelOf } from './rules/loss-level.ts';
import { isFiniteNumber } from './rules/window.ts';
import type { Signals } from './signals.ts';

/** What became of a run, by its recorded steps alone. */
export interface Label {
  /**
   * - `diverged`: half of what had been learned was lost for good, see `divergedAt`;
   * - `hurt`: for 15 losses a quarter of it was lost, 0.3 nats at least, and the run did not diverge;
   * - `stuck`: neither, but at its end it predicts no better than the unigram entropy;
   * - `healthy`: none of these.
   */
  verdict: 'diverged' | 'hurt' | 'stuck' | 'healthy';
  /** The step at which it diverged; null where it did not. */
  onset: number | null;
}

/** A run is hurt where it has lost more than this share of what it had learned … */
const HURT_SHARE = 0.25;
/** … and this many nats at least … */
const HURT_RISE = 0.3;
/** … for so many losses: the level of a small batch's losses wobbles as far for less. */
const HURT_LOSSES = 15;

/**
 * Labels a run by its losses, a level being the median of 9.
 * @param unigramEntropy of the data in nats per token, what a model reaches that knows only how often each token is; null
 * where it is unknown, and no run is then called stuck.
 */
export function labelOf(steps: readonly Signals[], unigramEntropy: number | null): Label {
  const onset = divergedAt(steps);
  if (onset !== null) return { verdict: 'diverged', onset };
  const levels = levelsOf(steps);
  if (isHurt(levels)) return { verdict: 'hurt', onset };
  const last = levels.at(-1);
  const isStuck = unigramEntropy !== null && last !== undefined && last >= unigramEntropy;
  return { verdict: isStuck ? 'stuck' : 'healthy', onset };
}

function levelsOf(steps: readonly Signals[]): number[] {
  const losses = steps.flatMap(({ loss }) => (isFiniteNumber(loss) ? [loss] : []));
  return losses.map((_, at) => levelOf(losses.slice(Math.max(0, at + 1 - LEVEL_LOSSES), at + 1)));
}

function isHurt(levels: readonly number[]): boolean {
  const first = levels[0] ?? 0;
  let [best, lost] = [first, 0];
  return levels.some((level) => {
    best = Math.min(best, level);
    lost = level - best > Math.max(HURT_SHARE * (first - best), HURT_RISE) ? lost + 1 : 0;
    return lost >= HURT_LOSSES;
  });
}
