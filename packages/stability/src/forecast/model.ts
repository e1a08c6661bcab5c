import type { Growth, Surge } from './growth.ts';
import { probability, type Weights } from './logistic.ts';

/** How many steps remain until onset at a risk, of the runs that do diverge: the 10th, 50th and 90th percentile. */
export interface Lead {
  risk: number;
  low: number;
  middle: number;
  high: number;
}

/** What is learned from labeled runs. All else is fixed by what it means. */
export interface ForecastModel {
  /** Of 1 and the growth score. */
  growth: Weights;
  /** Of 1, the growth score, and the growth of agreement: where gradients are known. */
  growthAndAgreement: Weights;
  /** Of 1 and the surge score. */
  surge: Weights;
  /** In the order of their risks. */
  growthLeads: readonly Lead[];
  surgeLeads: readonly Lead[];
}

/** A risk is that of onset within so many steps. */
export const HORIZON_STEPS = 100;

/** Above this an exponent says no more. */
const MAX_EXPONENT = 4;
/** An e-fold of growth in excess weighs as much as so much exponent … */
const EXCESS_WEIGHT = 6;
/** … up to here: a step size that was raised once leaves its excess behind, and must not alarm long after. */
const MAX_EXCESS = 0.5;
/**
 * TEV that gains less than this in a step gains less than half within the horizon, whatever its exponent: late in a long
 * run a small change is a large exponent. Of the recorded runs none that was found grew so slowly.
 */
const SLOW_RATE = 0.004;
const SLOW_WEIGHT = 4;
const GROWTH_RANGE = [-2, 7] as const;

/** How far TEV has left the way of healthy runs on the slow scale: about 1 for TEV ∝ step, above 5 before divergence. */
function growthScore({ exponent, excess, rate }: Growth): number {
  const slow = SLOW_WEIGHT * Math.max(0, Math.log(SLOW_RATE / Math.max(1e-6, rate)));
  const grown = Math.min(exponent, MAX_EXPONENT) + EXCESS_WEIGHT * Math.min(excess, MAX_EXCESS);
  return clamp(grown - slow, GROWTH_RANGE);
}

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

const AGREEMENT_RANGE = [-5, 5] as const;

/** What the logistic risk of the slow scale is taken of. */
export function growthInputs(growth: Growth): number[] {
  const { agreement } = growth;
  return agreement === null ? [growthScore(growth)] : [growthScore(growth), clamp(agreement, AGREEMENT_RANGE)];
}

/** Of onset within the horizon, by the slow scale; sharper where gradients are known. */
export function growthRisk(
  model: Pick<ForecastModel, 'growth' | 'growthAndAgreement'>,
  inputs: readonly number[],
): number {
  return probability(inputs.length === 1 ? model.growth : model.growthAndAgreement, inputs);
}

/** The same by the fast scale; 0 where there is no surge to speak of. */
export function surgeRisk({ surge }: Pick<ForecastModel, 'surge'>, score: number): number {
  return score > MIN_SURGE ? probability(surge, [score]) : 0;
}

function clamp(value: number, range: readonly [min: number, max: number]): number {
  return Math.min(range[1], Math.max(range[0], value)); // destructured, it would take as long as all around it
}

/**
 * Learned from 251 recorded runs by `evenkeel bench forecast --runs DIR --fit`, which prints it; without `--fit` the command says how well
 * models learned from nine tenths of the runs do on the last tenth.
 */
export const MODEL: ForecastModel = {
  growth: [-4.514, 1.1475],
  growthAndAgreement: [-4.55, 1.1398, 1.1063],
  surge: [5.0, 1.8197],
  growthLeads: [
    { risk: 0.3, low: 36, middle: 96, high: 185 },
    { risk: 0.601, low: 23, middle: 72, high: 120 },
    { risk: 0.751, low: 19, middle: 57, high: 115 },
    { risk: 0.858, low: 14, middle: 45, high: 96 },
    { risk: 0.928, low: 11, middle: 42, high: 90 },
    { risk: 0.972, low: 5, middle: 30, high: 85 },
  ],
  surgeLeads: [
    { risk: 0.3, low: 7, middle: 39, high: 301 },
    { risk: 0.445, low: 7, middle: 43, high: 153 },
    { risk: 0.617, low: 1, middle: 11, high: 19 },
  ],
};
