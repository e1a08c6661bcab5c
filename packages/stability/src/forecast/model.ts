import type { Weights } from './logistic.ts';

/**
 * How many steps remain until onset, of the runs that do diverge: the 5th, 50th and 95th percentile. Of kinds of runs that
 * taught nothing, about eight of ten lie between the outer two: kinds differ more than runs of a kind.
 */
export interface Lead {
  low: number;
  middle: number;
  high: number;
}

/** What became of the recorded runs whose margin was about this. */
export interface Level extends Lead {
  margin: number;
  /** The share of them that diverged within {@link HORIZON_STEPS} steps. */
  risk: number;
}

/** What is learned from labeled runs. All else is fixed by what it means. */
export interface ForecastModel {
  /** Of 1 and the surge score. */
  surge: Weights;
  /** In the order of their margins, their risks never falling; at least one. */
  levels: readonly Level[];
  /** The same of margins of TEV alone, as where steps are logged seldom. */
  levelsOfTev: readonly Level[];
  /** Of a surge that is called critical. */
  surgeLead: Lead;
}

/** A risk is that of onset within so many steps. */
export const HORIZON_STEPS = 100;

/** Linear between the levels, and the first or the last beyond them. */
export function levelAt(levels: readonly Level[], margin: number): Level {
  const above = levels.findIndex((level) => level.margin > margin);
  const [low, high] = [levels.at(above < 0 ? -1 : Math.max(0, above - 1)), levels.at(above)];
  if (!low || !high) throw new Error('a forecast model without levels');
  const share = high.margin > low.margin ? Math.max(0, (margin - low.margin) / (high.margin - low.margin)) : 0;
  const between = (name: 'risk' | keyof Lead) => low[name] + share * (high[name] - low[name]);
  return { margin, risk: between('risk'), low: between('low'), middle: between('middle'), high: between('high') };
}

/**
 * Learned from 251 recorded runs by `evenkeel bench forecast --runs DIR --fit`, which prints it; without `--fit` the
 * command says how well models learned from the other kinds of runs do on each kind.
 */
export const MODEL: ForecastModel = {
  surge: [5.0, 1.8197],
  levels: [
    { margin: -5.61, risk: 0.027, low: 18, middle: 266, high: 354 },
    { margin: -3.37, risk: 0.04, low: 13, middle: 214, high: 302 },
    { margin: -2.49, risk: 0.063, low: 4, middle: 170, high: 290 },
    { margin: -1.79, risk: 0.172, low: 7, middle: 114, high: 234 },
    { margin: -1.27, risk: 0.322, low: 7, middle: 81, high: 213 },
    { margin: -0.79, risk: 0.488, low: 6, middle: 64, high: 197 },
    { margin: -0.31, risk: 0.644, low: 6, middle: 48, high: 153 },
    { margin: 0.21, risk: 0.89, low: 5, middle: 30, high: 106 },
    { margin: 0.72, risk: 0.951, low: 2, middle: 14, high: 67 },
    { margin: 1.46, risk: 0.97, low: 2, middle: 6, high: 46 },
    { margin: 3.11, risk: 0.989, low: 1, middle: 2, high: 36 },
  ],
  levelsOfTev: [
    { margin: -4.39, risk: 0.021, low: 43, middle: 257, high: 352 },
    { margin: -3.69, risk: 0.034, low: 11, middle: 193, high: 316 },
    { margin: -2.55, risk: 0.119, low: 4, middle: 134, high: 282 },
    { margin: -1.76, risk: 0.229, low: 6, middle: 116, high: 206 },
    { margin: -1.27, risk: 0.296, low: 8, middle: 102, high: 175 },
    { margin: -0.77, risk: 0.421, low: 7, middle: 86, high: 160 },
    { margin: -0.28, risk: 0.554, low: 8, middle: 72, high: 152 },
    { margin: 0.24, risk: 0.711, low: 5, middle: 62, high: 136 },
    { margin: 0.74, risk: 0.734, low: 3, middle: 58, high: 131 },
    { margin: 1.5, risk: 0.804, low: 3, middle: 45, high: 119 },
    { margin: 3.17, risk: 0.966, low: 1, middle: 17, high: 85 },
  ],
  surgeLead: { low: 1, middle: 13, high: 46 },
};
