import type { Growth, Surge } from './growth.ts';

/** risk = 1 / (1 + exp(−(bias + weight · score))) */
export interface Logistic {
  bias: number;
  weight: number;
}

/** How many steps remain until onset at a risk, of the runs that do diverge: the 10th, 50th and 90th percentile. */
export interface Lead {
  risk: number;
  low: number;
  middle: number;
  high: number;
}

/** What is learnt from labelled runs. All else is fixed by what it means. */
export interface ForecastModel {
  growth: Logistic;
  surge: Logistic;
  /** In the order of their risks. */
  growthLeads: readonly Lead[];
  surgeLeads: readonly Lead[];
}

/** A risk is that of onset within so many steps. */
export const HORIZON_STEPS = 100;

/** Above this an exponent says no more. */
const MOST_EXPONENT = 4;
/** An e-fold of growth in excess weighs as much as so much exponent … */
const EXCESS_WEIGHT = 6;
/** … up to here: a step size that was raised once leaves its excess behind, and must not alarm long after. */
const MOST_EXCESS = 0.5;
/**
 * TEV that gains less than this in a step gains less than half within the horizon, whatever its exponent: late in a long
 * run a small change is a large exponent. Of the recorded runs none that was found grew so slowly.
 */
const SLOW_RATE = 0.004;
const SLOW_WEIGHT = 4;
const GROWTH_RANGE = [-2, 7] as const;

/** How far TEV has left the way of healthy runs on the slow scale: about 1 for TEV ∝ step, above 5 before divergence. */
export function growthScore({ exponent, excess, rate }: Growth): number {
  const slow = SLOW_WEIGHT * Math.max(0, Math.log(SLOW_RATE / Math.max(1e-6, rate)));
  const grown = Math.min(exponent, MOST_EXPONENT) + EXCESS_WEIGHT * Math.min(excess, MOST_EXCESS);
  return clamp(grown - slow, GROWTH_RANGE);
}

/** The speed is taken as it will be in so many steps, if it goes on changing as it does. */
const LOOK_AHEAD = 2;
const SPREAD_WEIGHT = 0.5;
const SURGE_RANGE = [-9, -2] as const;

/**
 * The logarithm of TEV's speed two steps ahead, times the root of its spread over tokens: at the edge of stability a few
 * tokens' embeddings are flung out first, where a high but stable learning rate moves all alike.
 */
export function surgeScore({ speed, acceleration, logSpread }: Surge): number {
  const ahead = Math.log(clamp(speed, [1e-3, 1])) + LOOK_AHEAD * clamp(acceleration, [-0.5, 1]);
  return clamp(ahead + SPREAD_WEIGHT * logSpread, SURGE_RANGE);
}

/** Below this score, about 2 % a step, there is no surge to speak of, and none was learnt from. */
export const LEAST_SURGE = -4;

export function probability({ bias, weight }: Logistic, score: number): number {
  return 1 / (1 + Math.exp(-(bias + weight * score)));
}

function clamp(value: number, [least, most]: readonly [number, number]): number {
  return Math.min(most, Math.max(least, value));
}

/**
 * Learnt from 251 recorded runs by `evenkeel bench forecast --runs DIR --fit`, which prints it; without `--fit` the command says how well
 * models learnt from nine tenths of the runs do on the last tenth.
 */
export const MODEL: ForecastModel = {
  growth: { bias: -4.514, weight: 1.1475 },
  surge: { bias: 4.915, weight: 1.7966 },
  growthLeads: [
    { risk: 0.3, low: 26, middle: 97, high: 222 },
    { risk: 0.598, low: 22, middle: 72, high: 114 },
    { risk: 0.75, low: 17, middle: 55, high: 103 },
    { risk: 0.857, low: 12, middle: 43, high: 92 },
    { risk: 0.927, low: 9, middle: 41, high: 92 },
    { risk: 0.968, low: 6, middle: 34, high: 86 },
  ],
  surgeLeads: [
    { risk: 0.3, low: 7, middle: 39, high: 301 },
    { risk: 0.445, low: 7, middle: 43, high: 153 },
    { risk: 0.617, low: 1, middle: 11, high: 19 },
  ],
};
