import type { Signals } from '../signals.ts';
import { median } from '../statistics.ts';
import { isFiniteNumber } from './window.ts';

/** The window of slopes and growth, in steps … */
export const WINDOW_STEPS = 40;
/** … and the points that it holds at least, however seldom steps are logged. */
const WINDOW_POINTS = 5;
/** The newest gradient norms, averaged, are held against those before them in the window, which then holds more. */
const NEW_STEPS = 5;
const NEW_POINTS = 3;
const NORM_POINTS = 12;
/** The loss at its best is the lowest mean over so many steps, and points. */
const BEST_STEPS = 10;
const BEST_POINTS = 4;
/** A level is the median of so many losses: one bad batch, or two, do not make it. */
const LEVEL_POINTS = 5;
const FIRST_POINTS = 3;
/** In nats: a run is held to have learned as much. */
const MIN_LEARNED = 0.4;
/** More than any window holds, so that a short rewind finds its past. */
const MAX_POINTS = 48;

interface LossPoint {
  step: number;
  loss: number;
  /** Null where unknown, as the next two. */
  logNorm: number | null;
  logLr: number | null;
  /** The greatest logLr up to here. */
  logPeak: number | null;
  /** The loss at its best up to here; null where the run is too young for one. */
  best: number | null;
}

type PointState = [
  step: number,
  loss: number,
  logNorm: number | null,
  logLr: number | null,
  logPeak: number | null,
  best: number | null,
];

export interface LossTrailState {
  points: PointState[];
  start: number | null;
  firstLosses: [step: number, loss: number][];
}

/** How a run's loss moves, with its gradient norm and learning rate where they are known. */
export interface LossMotion {
  /** The first step of the window. */
  from: number;
  /** What had been learned at best, in nats, 0.4 at least; the next two are shares of it. */
  learned: number;
  /** The loss above its best. */
  rise: number;
  /** By how much the loss rises in 40 steps: the least-squares slope, less one standard error of it. */
  slope: number;
  /** By how much log gradNorm has grown over its mean in the window. */
  normGrowth: number | null;
  /** By how much log lr is above the greatest up to where the window begins. */
  lrGrowth: number | null;
}

/** The newest losses of a run, and what it had learned at best. Every statistic is recomputed from them at each step. */
export class LossTrail {
  #points: LossPoint[] = [];
  #start: number | null = null;
  #firstLosses: [step: number, loss: number][] = [];

  constructor(state?: LossTrailState) {
    if (!state) return;
    this.#points = state.points.map(([step, loss, logNorm, logLr, logPeak, best]) => {
      return { step, loss, logNorm, logLr, logPeak, best };
    });
    this.#start = state.start;
    this.#firstLosses = state.firstLosses.map(([step, loss]) => [step, loss]);
  }

  state(): LossTrailState {
    return {
      points: this.#points.map(({ step, loss, logNorm, logLr, logPeak, best }) => {
        return [step, loss, logNorm, logLr, logPeak, best];
      }),
      start: this.#start,
      firstLosses: this.#firstLosses.map(([step, loss]) => [step, loss]),
    };
  }

  /** Forgets a step and all after it; everything where no loss before it is left. */
  rewind(step: number): void {
    const [points, firsts] = [this.#points, this.#firstLosses];
    while ((points.at(-1)?.step ?? Number.NEGATIVE_INFINITY) >= step) points.pop();
    while ((firsts.at(-1)?.[0] ?? Number.NEGATIVE_INFINITY) >= step) firsts.pop();
    if (points.length > 0) return;
    this.#start = null;
    this.#firstLosses = [];
  }

  /** Takes a step with a loss. Null while the run is too young to be judged. */
  add({ step, gradNorm, lr }: Signals, loss: number): LossMotion | null {
    const logLr = logOf(lr);
    const { logPeak: peakBefore = null, best = null } = this.#points.at(-1) ?? {};
    const logPeak = logLr === null ? peakBefore : Math.max(peakBefore ?? logLr, logLr);
    const point: LossPoint = { step, loss, logNorm: logOf(gradNorm), logLr, logPeak, best };
    this.#points.push(point);
    if (this.#points.length > MAX_POINTS) this.#points.shift();
    if (this.#firstLosses.length < FIRST_POINTS) this.#firstLosses.push([step, loss]);
    this.#start ??= step;
    const age = step - this.#start;
    if (age >= BEST_STEPS - 1 && this.#points.length >= BEST_POINTS)
      point.best = Math.min(
        best ?? Number.POSITIVE_INFINITY,
        meanLoss(this.#points, this.#startOf(BEST_STEPS, BEST_POINTS)),
      );
    return point.best !== null && age >= WINDOW_STEPS && this.#points.length >= WINDOW_POINTS
      ? this.#motion(point.best)
      : null;
  }

  /** Where the points of the last steps begin, and so many at least. */
  #startOf(steps: number, count: number): number {
    const points = this.#points;
    const last = points.at(-1)?.step ?? 0;
    let start = Math.max(0, points.length - count);
    while (start > 0 && (points[start - 1] as LossPoint).step > last - steps) start--;
    return start;
  }

  #motion(best: number): LossMotion {
    const points = this.#points;
    const start = this.#startOf(WINDOW_STEPS, WINDOW_POINTS);
    const [oldest, newest] = [points[start], points.at(-1)] as [LossPoint, LossPoint];
    const learned = Math.max(MIN_LEARNED, median(this.#firstLosses.map(([, loss]) => loss)) - best);
    const { slope, error } = lineThrough(points, start);
    return {
      from: oldest.step,
      learned,
      rise: (median(points.slice(-LEVEL_POINTS).map(({ loss }) => loss)) - best) / learned,
      slope: (WINDOW_STEPS * (slope - error)) / learned,
      normGrowth: this.#normGrowth(),
      lrGrowth: newest.logLr === null || oldest.logPeak === null ? null : newest.logLr - oldest.logPeak,
    };
  }

  #normGrowth(): number | null {
    const points = this.#points;
    const news = this.#startOf(NEW_STEPS, NEW_POINTS);
    const now = meanLogNorm(points, news, points.length);
    const then = meanLogNorm(points, this.#startOf(WINDOW_STEPS, NORM_POINTS), news);
    return now === null || then === null ? null : now - then;
  }
}

/** Null where it is unknown or has no logarithm. */
function logOf(value: number | null | undefined): number | null {
  return isFiniteNumber(value) && value > 0 ? Math.log(value) : null;
}

// Plain loops from here on: every step pays for them.

function meanLoss(points: readonly LossPoint[], start: number): number {
  let sum = 0;
  for (let at = start; at < points.length; at++) sum += (points[at] as LossPoint).loss;
  return sum / (points.length - start);
}

/** Of the points from one place up to another that have it; null where none has. */
function meanLogNorm(points: readonly LossPoint[], from: number, to: number): number | null {
  let [sum, count] = [0, 0];
  for (let at = from; at < to; at++) {
    const { logNorm } = points[at] as LossPoint;
    if (logNorm === null) continue;
    sum += logNorm;
    count += 1;
  }
  return count === 0 ? null : sum / count;
}

/** The least-squares slope of the loss against the step, and its standard error: nats per step. */
function lineThrough(points: readonly LossPoint[], start: number): { slope: number; error: number } {
  const count = points.length - start;
  const middle = meanLoss(points, start);
  const origin = (points[start] as LossPoint).step;
  let steps = 0;
  for (let at = start; at < points.length; at++) steps += (points[at] as LossPoint).step - origin;
  let [squares, products, variation] = [0, 0, 0];
  for (let at = start; at < points.length; at++) {
    const point = points[at] as LossPoint;
    const [x, y] = [point.step - origin - steps / count, point.loss - middle];
    squares += x * x;
    products += x * y;
    variation += y * y;
  }
  const slope = products / squares;
  const unexplained = Math.max(0, variation - slope * products);
  return { slope, error: Math.sqrt(unexplained / (count - 2) / squares) };
}
