import type { Signals } from '../signals.ts';
import { median } from '../statistics.ts';

/** What the forecast keeps of a step that carried TEV, or in a long run of a block of them: see {@link Trail}. */
export interface TrailPoint {
  /** The step; of a block the mean of its steps. */
  step: number;
  /** First and last step, and how many there are. */
  from: number;
  to: number;
  count: number;
  /** log(step + 1), since steps count from 0; of a block the mean. */
  logStep: number;
  /** log tevMean; of a block the mean. */
  logTev: number;
  /** log(tevStd / tevMean): how unevenly the tokens have moved. Null where the step has no tevStd. */
  logSpread: number | null;
  /**
   * How many e-folds TEV has gained beyond proportion to the step: log(TEV / (step + 1)) above the lowest it has been,
   * kept as a running sum that never falls below 0 (a CUSUM, Page 1954). Under a constant learning rate embeddings move
   * at most in proportion to the number of updates, so it stays near 0; what lifts it is a step size, or a gradient, that
   * keeps growing.
   */
  excess: number;
  /** log(gradNorm² / gradVar): how far the micro-batches agree; of a block the mean. Null where unknown. */
  agreement: number | null;
  /** In nats; of a block the mean. Null where it is unknown or not finite. */
  loss: number | null;
  /** The lowest mean loss of a short span so far. Null before the first loss. */
  bestLoss: number | null;
  /** The learning rate, of a block that of its last step. Null where unknown. */
  lr: number | null;
  /** For the evidence alone: nothing is computed from it. Null where unknown. */
  gradVar: number | null;
}

/** The newest part of a run. */
export interface Span {
  /** Noise dominates a span that is shorter, and a divergence has come before one that is much longer … */
  steps: number;
  /** … at least so many times the gap between two points … */
  gaps: number;
  /** … and in a long run at least this share of its steps: what 40 steps show at step 50,000 is noise. */
  share: number;
}
export const LONG: Span = { steps: 40, gaps: 4, share: 0.02 };
export const SHORT: Span = { steps: 10, gaps: 2, share: 0.005 };
/** Shorter still, for the agreement of micro-batches. */
export const BRIEF: Span = { steps: 5, gaps: 3, share: 0.0025 };
/** For the learning rate, which has no noise. */
const RATE: Span = { steps: 6, gaps: 1, share: 0.0025 };
/** How far ahead `lrAhead` is, in steps. */
const AHEAD_STEPS = 20;

/** The newest points, which are never blocks, so that a rewind of as many steps forgets no more than it must. */
const SINGLE_POINTS = 20;
/** A block spans at most this share of the newest step: forty cover a long span. */
const BLOCK_SHARE = LONG.share / 40;
/** More than a long span holds: its blocks, the single points, and the block that it cuts. */
const MAX_POINTS = 64;

/** The losses whose median is what a run began with: one alone may be a bad batch. */
const START_LOSSES = 3;

/** What does not follow from the rest. */
type SingleState = [
  step: number,
  logTev: number,
  logSpread: number | null,
  excess: number,
  agreement: number | null,
  loss: number | null,
  bestLoss: number | null,
  gradVar: number | null,
  lr: number | null,
];
/** The last is given where a point is a block. */
type PointState = SingleState | [...SingleState, block: [from: number, to: number, count: number, logStep: number]];

/** Plain data, from which {@link Trail.restore} continues. */
export interface TrailState {
  first: number | null;
  starts: [step: number, loss: number][];
  planned: number | null;
  points: PointState[];
}

/**
 * The newest points of a run, in the order of their steps. In a run of more than 2,000 steps the older ones are blocks: the
 * means of neighboring steps, the wider the later, so that the same number of points covers spans that grow with the
 * run. A rewind into a block forgets all of it.
 */
export class Trail {
  readonly points: TrailPoint[] = [];
  /** The first step with TEV since the run began or was rewound to before all that is kept. */
  first: number | null = null;
  /** log(lrAhead / lr) of the newest step, with or without TEV. Null where the plan is unknown. */
  #planned: number | null = null;
  /** The first losses of the run. */
  #starts: [step: number, loss: number][] = [];

  static restore({ first, starts, planned, points }: TrailState): Trail {
    const trail = new Trail();
    trail.first = first;
    trail.#planned = planned;
    trail.#starts = starts.map(([step, loss]) => [step, loss]);
    for (const [step, logTev, logSpread, excess, agreement, loss, bestLoss, gradVar, lr, block] of points) {
      const [from, to, count, logStep] = block ?? [step, step, 1, Math.log(step + 1)];
      const values = { logTev, logSpread, excess, agreement, loss, bestLoss, gradVar, lr };
      trail.points.push({ step, from, to, count, logStep, ...values });
    }
    return trail;
  }

  state(): TrailState {
    const points = this.points.map(({ step, from, to, count, logStep, ...point }): PointState => {
      const { logTev, logSpread, excess, agreement, loss, bestLoss, gradVar, lr } = point;
      const single: SingleState = [step, logTev, logSpread, excess, agreement, loss, bestLoss, gradVar, lr];
      return count === 1 ? single : [...single, [from, to, count, logStep]];
    });
    return {
      first: this.first,
      starts: this.#starts.map(([step, loss]) => [step, loss]),
      planned: this.#planned,
      points,
    };
  }

  /** Nats that the run has learned: its first losses above its best. Null where no loss is known. */
  get learned(): number | null {
    const best = this.points.at(-1)?.bestLoss ?? null;
    return best === null ? null : median(this.#starts.map(([, loss]) => loss)) - best;
  }

  /**
   * log of the learning rate in 20 steps over that of now: as planned, or else if it goes on changing as it does. Null where
   * no rate is known.
   */
  get rateAhead(): number | null {
    if (this.#planned !== null) return this.#planned;
    const [oldest, newest] = [this.points[this.startOf(RATE)], this.points.at(-1)];
    if (!oldest?.lr || !newest?.lr || newest.to === oldest.to) return null;
    return (AHEAD_STEPS * (Math.log(newest.lr) - Math.log(oldest.lr))) / (newest.to - oldest.to);
  }

  /** Takes a step after rewinding to before it. Returns whether the forecast has anything to go by in it. */
  add({ step, tevMean, tevStd, gradVar, gradNorm, loss, lr, lrAhead }: Signals): boolean {
    this.rewind(step);
    this.#planned = isPositive(lr) && isPositive(lrAhead) ? Math.log(lrAhead) - Math.log(lr) : null;
    if (!isPositive(tevMean)) return false;
    const logStep = Math.log(step + 1);
    const logTev = Math.log(tevMean);
    const before = this.points.at(-1);
    const point: TrailPoint = {
      step,
      from: step,
      to: step,
      count: 1,
      logStep,
      logTev,
      logSpread: isPositive(tevStd) ? Math.log(tevStd) - logTev : null,
      excess: before ? Math.max(0, before.excess + (logTev - before.logTev) - (logStep - before.logStep)) : 0,
      agreement: isPositive(gradVar) && isPositive(gradNorm) ? 2 * Math.log(gradNorm) - Math.log(gradVar) : null,
      loss: loss != null && Number.isFinite(loss) ? loss : null,
      bestLoss: before?.bestLoss ?? null,
      gradVar: isPositive(gradVar) ? gradVar : null,
      lr: isPositive(lr) ? lr : null,
    };
    this.points.push(point);
    this.first ??= step;
    if (point.loss !== null) this.#learn(point, point.loss);
    this.#thin(step);
    return true;
  }

  #learn(point: TrailPoint, loss: number): void {
    if (this.#starts.length < START_LOSSES) this.#starts.push([point.step, loss]);
    const level = meanSince(this.points, this.startOf(SHORT), 'loss');
    if (level !== null) point.bestLoss = Math.min(point.bestLoss ?? level, level);
  }

  /** The oldest single point joins the block before it, or becomes the first of the next. */
  #thin(step: number): void {
    const { points } = this;
    const at = points.length - 1 - SINGLE_POINTS;
    const [block, oldest] = [points[at - 1], points[at]];
    if (block && oldest && oldest.to - block.from < BLOCK_SHARE * step) points.splice(at - 1, 2, merge(block, oldest));
    if (points.length > MAX_POINTS) points.shift();
  }

  /** The place of the first point of a span. Never so late that fewer than two are left. */
  startOf({ steps, gaps, share }: Span): number {
    const newest = this.points.at(-1)?.step ?? 0;
    return startAfter(this.points, newest - Math.max(steps, gaps * gapOf(this.points), share * newest));
  }

  /** Forgets a step and all after it. */
  rewind(step: number): void {
    while ((this.points.at(-1)?.to ?? Number.NEGATIVE_INFINITY) >= step) this.points.pop();
    while ((this.#starts.at(-1)?.[0] ?? Number.NEGATIVE_INFINITY) >= step) this.#starts.pop();
    if (this.points.length === 0) this.first = null;
  }
}

/** Where the points after a step begin; never so late that fewer than two are left. */
export function startAfter(points: readonly TrailPoint[], step: number): number {
  let start = Math.max(0, points.length - 2);
  while (start > 0 && (points[start - 1] as TrailPoint).step > step) start--;
  return start;
}

/** The mean over the points from a place on of what is known; null where nothing is. */
export function meanSince(points: readonly TrailPoint[], start: number, name: 'loss' | 'agreement'): number | null {
  let [sum, count] = [0, 0];
  for (let at = start; at < points.length; at++) {
    const point = points[at] as TrailPoint;
    const value = point[name];
    if (value === null) continue;
    sum += point.count * value;
    count += point.count;
  }
  return count > 0 ? sum / count : null;
}

/** The steps between two points now: the lesser of the last two gaps, since a hole in the steps is no logging interval. */
function gapOf(points: readonly TrailPoint[]): number {
  const [a, b, c] = [points.at(-3), points.at(-2), points.at(-1)];
  if (!b || !c) return 1;
  return a ? Math.min(c.step - b.step, b.step - a.step) : c.step - b.step;
}

function merge(block: TrailPoint, next: TrailPoint): TrailPoint {
  const count = block.count + next.count;
  const mean = (a: number, b: number) => a + ((b - a) * next.count) / count;
  const known = (a: number | null, b: number | null) => (a === null || b === null ? (a ?? b) : mean(a, b));
  return {
    ...next, // what runs on, and what is for the evidence alone
    step: mean(block.step, next.step),
    from: block.from,
    count,
    logStep: mean(block.logStep, next.logStep),
    logTev: mean(block.logTev, next.logTev),
    agreement: known(block.agreement, next.agreement),
    loss: known(block.loss, next.loss),
  };
}

/** Whether a step carries TEV that has a logarithm. */
export function isForecastable({ tevMean }: Signals): boolean {
  return isPositive(tevMean);
}

function isPositive(value: number | null | undefined): value is number {
  return value != null && value > 0 && value < Number.POSITIVE_INFINITY;
}
