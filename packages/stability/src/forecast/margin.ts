import type { Growth, Surge } from './growth.ts';
import { logit, type Weights } from './logistic.ts';

/** What must hold, all of it, before growth is called a divergence in the making. */
type GrowthTerm = 'exponent' | 'excess' | 'rate' | 'lossRise' | 'agreement' | 'rateAhead';
/** What decides a margin: a term of growth, or the surge by itself. */
export type Term = GrowthTerm | 'surge';

/** How far a run is above the limit at which it is called critical; below 0 it is not. */
export interface Margin {
  value: number;
  /** What holds it back, or where all holds, what holds with the lowest margin. */
  term: Term;
}

/** Above the limit by one unit is a margin of 1. */
const UNITS: Readonly<Record<GrowthTerm, number>> = {
  exponent: 0.5,
  excess: 0.1,
  rate: 0.001,
  lossRise: 0.1,
  agreement: 0.1,
  rateAhead: 0.1,
};

type Limits = Partial<Readonly<Record<GrowthTerm, number>>>;

/** What the learning rate must be about to rise by, where it is known: at one that stays, growth is a warning at most. */
const RATE_AHEAD = 0.05;
/** Growth of 0.3 % a step makes no third within 100 steps, whatever its exponent: late in a long run that is large. */
const RATE = 0.003;
/** The less is known, the more TEV itself must show. */
const WITH_GRADIENTS: Limits = {
  exponent: 1.6,
  excess: 0.1,
  rate: RATE,
  lossRise: 0.05,
  agreement: 0.05,
  rateAhead: RATE_AHEAD,
};
const WITH_LOSS: Limits = { exponent: 2.2, excess: 0.2, rate: RATE, lossRise: -0.1, rateAhead: RATE_AHEAD };
const TEV_ALONE: Limits = { exponent: 2.4, excess: 0.2, rate: RATE, agreement: 0.05, rateAhead: RATE_AHEAD };

function limitsOf({ lossRise, agreement }: Growth): Limits {
  if (lossRise === null) return TEV_ALONE;
  return agreement === null ? WITH_LOSS : WITH_GRADIENTS;
}

/** Whether the loss is known well enough to be judged by. */
export function knowsLoss({ lossRise }: Growth): boolean {
  return lossRise !== null;
}

/** The lowest margin of the terms that are known; what is unknown neither drives nor holds back. */
export function growthMargin(growth: Growth): Margin {
  const limits = limitsOf(growth);
  let lowest: Margin = { value: Number.POSITIVE_INFINITY, term: 'exponent' };
  for (const term of TERMS) {
    const [value, limit] = [growth[term], limits[term]];
    if (value === null || limit === undefined) continue;
    const margin = (value - limit) / UNITS[term];
    if (margin < lowest.value) lowest = { value: margin, term };
  }
  return lowest;
}

const TERMS = Object.keys(UNITS) as GrowthTerm[];

/** The speed is taken as it will be in so many steps, if it goes on changing as it does. */
const LOOK_AHEAD = 2;
/** A learning rate that jumps makes TEV's speed jump once; only what goes on is believed. */
const ACCELERATION_RANGE = [-0.5, 0.4] as const;
const SPREAD_WEIGHT = 0.5;
/** Without tevStd the change of the speed weighs more; at even odds both scores are the same. */
const BLIND_LOOK_AHEAD = 4;
const BLIND_OFFSET = -0.23;
const SURGE_RANGE = [-9, -2] as const;

/**
 * The logarithm of TEV's speed two steps ahead, times the root of its spread over tokens: at the edge of stability a few
 * tokens' embeddings are flung out first, where a high but stable learning rate moves all alike.
 */
export function surgeScore({ speed, acceleration, logSpread }: Surge): number {
  const logSpeed = Math.log(clamp(speed, [1e-3, 1]));
  const change = clamp(acceleration, ACCELERATION_RANGE);
  const score =
    logSpread === null
      ? logSpeed + BLIND_LOOK_AHEAD * change + BLIND_OFFSET
      : logSpeed + LOOK_AHEAD * change + SPREAD_WEIGHT * logSpread;
  return clamp(score, SURGE_RANGE);
}

/** Below this score, about 2 % a step, there is no surge to speak of, and none was learned from. */
export const MIN_SURGE = -4;

/** At even odds the margin is 0, at two to three it is −0.5: a surge leaves few steps to act, so it is acted on early. */
const SURGE_UNIT = 0.81;

/** Null where there is no surge to speak of. */
export function surgeMargin(weights: Weights, surge: Surge | null): Margin | null {
  const score = surge === null ? MIN_SURGE : surgeScore(surge);
  return score > MIN_SURGE ? { value: logit(weights, [score]) / SURGE_UNIT, term: 'surge' } : null;
}

function clamp(value: number, range: readonly [min: number, max: number]): number {
  return Math.min(range[1], Math.max(range[0], value)); // destructured, it would take as long as all around it
}
