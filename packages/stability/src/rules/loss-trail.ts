import type { Signals } from '../signals.ts';
import { mean, median } from '../statistics.ts';
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
}

export interface LossTrailState {
  points: [step: number, loss: number, logNorm: number | null, logLr: number | null, logPeak: number | null][];
  start: number | null;
  firstLosses: number[];
  best: number | null;
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
  #firstLosses: number[] = [];
  #best: number | null = null;

  constructor(state?: LossTrailState) {
    if (!state) return;
    this.#points = state.points.map(([step, loss, logNorm, logLr, logPeak]) => {
      return { step, loss, logNorm, logLr, logPeak };
    });
    this.#start = state.start;
    this.#firstLosses = [...state.firstLosses];
    this.#best = state.best;
  }

  state(): LossTrailState {
    return {
      points: this.#points.map(({ step, loss, logNorm, logLr, logPeak }) => [step, loss, logNorm, logLr, logPeak]),
      start: this.#start,
      firstLosses: [...this.#firstLosses],
      best: this.#best,
    };
  }

  /** Forgets a step and all after it; everything where no loss before it is left. */
  rewind(step: number): void {
    const points = this.#points;
    while ((points.at(-1)?.step ?? Number.NEGATIVE_INFINITY) >= step) points.pop();
    if (points.length > 0) return;
    this.#start = null;
    this.#firstLosses = [];
    this.#best = null;
  }

  /** Takes a step with a loss. Null while the run is too young to be judged. */
  add({ step, gradNorm, lr }: Signals, loss: number): LossMotion | null {
    const logLr = logOf(lr);
    const peakBefore = this.#points.at(-1)?.logPeak ?? null;
    const logPeak = logLr === null ? peakBefore : Math.max(peakBefore ?? logLr, logLr);
    this.#points.push({ step, loss, logNorm: logOf(gradNorm), logLr, logPeak });
    if (this.#points.length > MAX_POINTS) this.#points.shift();
    if (this.#firstLosses.length < FIRST_POINTS) this.#firstLosses.push(loss);
    this.#start ??= step;
    const age = step - this.#start;
    if (age >= BEST_STEPS - 1 && this.#points.length >= BEST_POINTS)
      this.#best = Math.min(this.#best ?? Number.POSITIVE_INFINITY, this.#meanLoss());
    return this.#best !== null && age >= WINDOW_STEPS && this.#points.length >= WINDOW_POINTS
      ? this.#motion(this.#best)
      : null;
  }

  /** The points of the last steps, and so many at least. */
  #newest(steps: number, points: number): LossPoint[] {
    const last = this.#points.at(-1)?.step ?? 0;
    const start = this.#points.findIndex(({ step }) => step > last - steps);
    return this.#points.slice(Math.max(0, Math.min(start, this.#points.length - points)));
  }

  #meanLoss(): number {
    return mean(this.#newest(BEST_STEPS, BEST_POINTS).map(({ loss }) => loss));
  }

  #motion(best: number): LossMotion {
    const window = this.#newest(WINDOW_STEPS, WINDOW_POINTS);
    const [oldest, newest] = [window[0], window.at(-1)] as [LossPoint, LossPoint];
    const learned = Math.max(MIN_LEARNED, median(this.#firstLosses) - best);
    const { slope, error } = lineThrough(window);
    return {
      from: oldest.step,
      learned,
      rise: (median(window.slice(-LEVEL_POINTS).map(({ loss }) => loss)) - best) / learned,
      slope: (WINDOW_STEPS * (slope - error)) / learned,
      normGrowth: this.#normGrowth(),
      lrGrowth: newest.logLr === null || oldest.logPeak === null ? null : newest.logLr - oldest.logPeak,
    };
  }

  #normGrowth(): number | null {
    const news = this.#newest(NEW_STEPS, NEW_POINTS);
    const before = this.#newest(WINDOW_STEPS, NORM_POINTS).slice(0, -news.length);
    const [now, then] = [news, before].map((points) => points.flatMap(({ logNorm }) => logNorm ?? []));
    return now?.length && then?.length ? mean(now) - mean(then) : null;
  }
}

/** Null where it is unknown or has no logarithm. */
function logOf(value: number | null | undefined): number | null {
  return isFiniteNumber(value) && value > 0 ? Math.log(value) : null;
}

/** The least-squares slope of the loss against the step, and its standard error: nats per step. */
function lineThrough(points: readonly LossPoint[]): { slope: number; error: number } {
  const meanStep = mean(points.map(({ step }) => step));
  const meanLoss = mean(points.map(({ loss }) => loss));
  let [squares, products, variation] = [0, 0, 0];
  for (const { step, loss } of points) {
    squares += (step - meanStep) ** 2;
    products += (step - meanStep) * (loss - meanLoss);
    variation += (loss - meanLoss) ** 2;
  }
  const slope = products / squares;
  const unexplained = Math.max(0, variation - slope * products);
  return { slope, error: Math.sqrt(unexplained / (points.length - 2) / squares) };
}
