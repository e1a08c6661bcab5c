import type { Trail, TrailPoint } from './trail.ts';

/** How TEV grows, on two time scales. */
export interface Growth {
  /** The exponent p of TEV ∝ step^p: the lesser of that over the last 10 steps and that over the last 40. */
  exponent: number;
  /** Whether the exponent over 10 steps is above that over 40. */
  accelerates: boolean;
  /** E-folds beyond proportion to the step, {@link TrailPoint.excess}. */
  excess: number;
  /** E-folds of TEV in a step, over the last 40. */
  rate: number;
  /**
   * By how much log(gradNorm² / gradVar) has lately grown: towards divergence the micro-batches come to agree on a
   * gradient that only overshoots. Null where gradients are unknown.
   */
  agreement: number | null;
  /** The fast time scale; null where steps are logged too seldom to see it. */
  surge: Surge | null;
}

export interface Surge {
  /** E-folds of TEV in a step, over the last 8. */
  speed: number;
  /** By how much the logarithm of the speed changes in a step, over the last three increments. */
  acceleration: number;
  /** log(tevStd / tevMean); null where it is unknown. */
  logSpread: number | null;
}

/** Both in steps: noise dominates a window that is shorter, and a divergence has come before one that is longer. */
const SHORT = 10;
const LONG = 40;

/** Steps, and points in them, without which the fast scale is not seen. */
const SURGE_STEPS = 8;
const SURGE_POINTS = 4;
/** The last three increments may span as many steps. */
const INCREMENT_STEPS = 9;
/** Minimum speed in e-folds per step: slower growth cannot be separated from none. */
const MIN_SPEED = 1e-3;

/** In the first steps every run's TEV shoots up. */
const FIRST_STEPS = 14;

/** Null while the run is too young to be judged. */
export function growthOf({ points, first }: Pick<Trail, 'points' | 'first'>): Growth | null {
  const newest = points.at(-1);
  if (!newest || first === null || newest.step - first < FIRST_STEPS) return null;
  if (points.length < 2) return null;
  const long = lineThrough(points, windowStart(points, newest.step - LONG));
  const short = lineThrough(points, windowStart(points, newest.step - SHORT));
  return {
    exponent: Math.min(short.exponent, long.exponent),
    accelerates: short.exponent > long.exponent,
    excess: newest.excess,
    rate: long.rate,
    agreement: newest.agreement && newest.agreement.fast - newest.agreement.slow,
    surge: surgeOf(points, newest),
  };
}

function surgeOf(points: readonly TrailPoint[], newest: TrailPoint): Surge | null {
  const start = windowStart(points, newest.step - SURGE_STEPS + 1);
  const last = points.length - 1;
  if (points.length - start < SURGE_POINTS) return null;
  const [a, b, c] = [points[last - 3], points[last - 2], points[last - 1]] as [TrailPoint, TrailPoint, TrailPoint];
  if (newest.step - a.step > INCREMENT_STEPS) return null;
  return {
    speed: lineThrough(points, start).rate,
    acceleration: slope(
      [(a.step + b.step) / 2, (b.step + c.step) / 2, (c.step + newest.step) / 2],
      [logSpeed(a, b), logSpeed(b, c), logSpeed(c, newest)],
    ),
    logSpread: newest.logSpread,
  };
}

function logSpeed(from: TrailPoint, to: TrailPoint): number {
  return Math.log(Math.max(MIN_SPEED, (to.logTev - from.logTev) / (to.step - from.step)));
}

/** Where the points from `step` on begin; never so late that fewer than two are left. */
function windowStart(points: readonly TrailPoint[], step: number): number {
  let start = points.length - 2;
  while (start > 0 && (points[start - 1] as TrailPoint).step >= step) start--;
  return start;
}

/**
 * The least-squares slopes of log TEV against log step and against the step, from a point on. Least squares and not the
 * end points, which one noisy step would sway. In one pass, about the newest point: every step pays for this.
 */
function lineThrough(points: readonly TrailPoint[], start: number): { exponent: number; rate: number } {
  const origin = points[points.length - 1] as TrailPoint;
  let [x, y, z, xx, xy, zz, zy] = [0, 0, 0, 0, 0, 0, 0];
  for (let at = start; at < points.length - 1; at++) {
    const point = points[at] as TrailPoint;
    const dx = point.logStep - origin.logStep;
    const dy = point.logTev - origin.logTev;
    const dz = point.step - origin.step;
    x += dx;
    y += dy;
    z += dz;
    xx += dx * dx;
    xy += dx * dy;
    zz += dz * dz;
    zy += dz * dy;
  }
  const count = points.length - start;
  return {
    exponent: (xy - (x * y) / count) / (xx - (x * x) / count),
    rate: (zy - (z * y) / count) / (zz - (z * z) / count),
  };
}

/** The least-squares slope through three points. */
function slope([x0, x1, x2]: Three, [y0, y1, y2]: Three): number {
  const meanX = (x0 + x1 + x2) / 3;
  const [a, b, c] = [x0 - meanX, x1 - meanX, x2 - meanX];
  return (a * y0 + b * y1 + c * y2) / (a * a + b * b + c * c);
}

type Three = readonly [number, number, number];
