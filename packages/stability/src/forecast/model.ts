import type { Weights } from './logistic.ts';

/** How many steps remain until onset, of the runs that do diverge: the 10th, 50th and 90th percentile. */
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
    { margin: -5.61, risk: 0.027, low: 98, middle: 267, high: 336 },
    { margin: -3.37, risk: 0.04, low: 62, middle: 214, high: 272 },
    { margin: -2.49, risk: 0.063, low: 14, middle: 170, high: 258 },
    { margin: -1.79, risk: 0.172, low: 11, middle: 114, high: 191 },
    { margin: -1.27, risk: 0.325, low: 10, middle: 81, high: 163 },
    { margin: -0.78, risk: 0.459, low: 11, middle: 65, high: 152 },
    { margin: -0.29, risk: 0.644, low: 11, middle: 48, high: 125 },
    { margin: 0.21, risk: 0.848, low: 7, middle: 31, high: 102 },
    { margin: 0.71, risk: 0.952, low: 4, middle: 14, high: 59 },
    { margin: 1.44, risk: 0.971, low: 3, middle: 6, high: 40 },
    { margin: 3.42, risk: 0.989, low: 1, middle: 2, high: 22 },
  ],
  levelsOfTev: [
    { margin: -4.37, risk: 0.013, low: 145, middle: 260, high: 333 },
    { margin: -3.69, risk: 0.028, low: 101, middle: 196, high: 287 },
    { margin: -2.62, risk: 0.141, low: 11, middle: 135, high: 209 },
    { margin: -1.75, risk: 0.269, low: 66, middle: 119, high: 169 },
    { margin: -1.27, risk: 0.389, low: 43, middle: 109, high: 156 },
    { margin: -0.76, risk: 0.463, low: 30, middle: 99, high: 146 },
    { margin: -0.29, risk: 0.572, low: 39, middle: 75, high: 123 },
    { margin: 0.28, risk: 0.687, low: 20, middle: 65, high: 125 },
    { margin: 0.72, risk: 0.72, low: 19, middle: 62, high: 113 },
    { margin: 1.5, risk: 0.798, low: 10, middle: 50, high: 105 },
    { margin: 3.69, risk: 0.938, low: 5, middle: 24, high: 73 },
  ],
  surgeLead: { low: 1, middle: 14, high: 127 },
};
