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
    { margin: -5.61, risk: 0.027, low: 18, middle: 267, high: 355 },
    { margin: -3.37, risk: 0.04, low: 13, middle: 214, high: 302 },
    { margin: -2.49, risk: 0.063, low: 5, middle: 170, high: 291 },
    { margin: -1.79, risk: 0.172, low: 7, middle: 114, high: 234 },
    { margin: -1.27, risk: 0.325, low: 7, middle: 81, high: 212 },
    { margin: -0.78, risk: 0.459, low: 5, middle: 65, high: 198 },
    { margin: -0.29, risk: 0.644, low: 7, middle: 48, high: 154 },
    { margin: 0.21, risk: 0.848, low: 5, middle: 31, high: 121 },
    { margin: 0.71, risk: 0.952, low: 2, middle: 14, high: 67 },
    { margin: 1.44, risk: 0.971, low: 3, middle: 6, high: 46 },
    { margin: 3.42, risk: 0.989, low: 1, middle: 2, high: 36 },
  ],
  levelsOfTev: [
    { margin: -4.37, risk: 0.026, low: 43, middle: 256, high: 352 },
    { margin: -3.7, risk: 0.034, low: 11, middle: 193, high: 316 },
    { margin: -2.56, risk: 0.116, low: 4, middle: 134, high: 283 },
    { margin: -1.76, risk: 0.23, low: 6, middle: 116, high: 247 },
    { margin: -1.27, risk: 0.294, low: 9, middle: 101, high: 171 },
    { margin: -0.77, risk: 0.388, low: 7, middle: 87, high: 160 },
    { margin: -0.27, risk: 0.554, low: 8, middle: 72, high: 153 },
    { margin: 0.24, risk: 0.7, low: 5, middle: 63, high: 136 },
    { margin: 0.73, risk: 0.738, low: 2, middle: 57, high: 131 },
    { margin: 1.48, risk: 0.793, low: 3, middle: 45, high: 118 },
    { margin: 3.62, risk: 0.946, low: 1, middle: 17, high: 84 },
  ],
  surgeLead: { low: 1, middle: 14, high: 127 },
};
