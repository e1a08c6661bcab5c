import { BRIEF, LONG, meanSince, SHORT, startAfter, type Trail, type TrailPoint } from './trail.ts';

/** How TEV grows, on two time scales, and what loss and gradients do meanwhile. */
export interface Growth {
  /** The exponent p of TEV ∝ step^p over the short span. */
  exponent: number;
  /** Whether that is above the exponent over the long span. */
  accelerates: boolean;
  /** E-folds beyond proportion to the step, {@link TrailPoint.excess}. */
  excess: number;
  /** E-folds of TEV in a step, over the long span. */
  rate: number;
  /**
   * By how much the loss rises in 40 steps, as a share of what has been learned; below 0 it still falls. Null where it
   * is unknown, or logged too seldom.
   */
  lossRise: number | null;
  /**
   * By how much log(gradNorm² / gradVar) is of late above its mean over the long span: towards divergence the
   * micro-batches come to agree on a gradient that only overshoots. Null likewise.
   */
  agreement: number | null;
  /** {@link Trail.rateAhead} */
  rateAhead: number | null;
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

/** The loss and the gradients are noisy: with fewer points in the long span they are left out. */
const MIN_POINTS = 12;
/** A rise of the loss is that in so many steps … */
const RISE_STEPS = 40;
/** … as a share of at least so many nats: before anything is learned, every wobble would be much of it. */
const MIN_LEARNED = 0.4;

/** Steps, and points in them, without which the fast scale is not seen. */
const SURGE_STEPS = 8;
const SURGE_POINTS = 4;
/** The last three increments may span as many steps. */
const INCREMENT_STEPS = 9;
/** Minimum speed in e-folds per step: slower growth cannot be separated from none. */
const MIN_SPEED = 1e-3;

/** In the first steps every run's TEV shoots up. */
const FIRST_STEPS = 15;

/** Null while the run is too young to be judged. */
export function growthOf(trail: Trail): Growth | null {
  const { points, first } = trail;
  const newest = points.at(-1);
  if (!newest || first === null || newest.step - first < FIRST_STEPS) return null;
  if (points.length < 2) return null;
  const start = trail.startOf(LONG);
  const long = lineThrough(points, start);
  const { exponent } = lineThrough(points, trail.startOf(SHORT));
  const isDense = points.length - start >= MIN_POINTS;
  return {
    exponent,
    accelerates: exponent > long.exponent,
    excess: newest.excess,
    rate: long.rate,
    lossRise: isDense ? lossRise(trail, start) : null,
    agreement: isDense ? agreementRise(points, trail.startOf(BRIEF), start) : null,
    rateAhead: trail.rateAhead,
    surge: surgeOf(points, newest),
  };
}

function lossRise({ points, learned }: Trail, start: number): number | null {
  const slope = lossSlope(points, start);
  return slope === null || learned === null ? null : (RISE_STEPS * slope) / Math.max(MIN_LEARNED, learned);
}

function agreementRise(points: readonly TrailPoint[], newer: number, start: number): number | null {
  const [now, usual] = [meanSince(points, newer, 'agreement'), meanSince(points, start, 'agreement')];
  return now === null || usual === null ? null : now - usual;
}

function surgeOf(points: readonly TrailPoint[], newest: TrailPoint): Surge | null {
  const start = startAfter(points, newest.step - SURGE_STEPS);
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

/**
 * The least-squares slopes of log TEV against log step and against the step, from a point on. Least squares and not the
 * end points, which one noisy step would sway. In one pass, about the newest point: every step pays for this.
 */
function lineThrough(points: readonly TrailPoint[], start: number): { exponent: number; rate: number } {
  const origin = points[points.length - 1] as TrailPoint;
  let [n, x, y, z, xx, xy, zz, zy] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let at = start; at < points.length; at++) {
    const point = points[at] as TrailPoint;
    const { count } = point;
    const dx = point.logStep - origin.logStep;
    const dy = point.logTev - origin.logTev;
    const dz = point.step - origin.step;
    n += count;
    x += count * dx;
    y += count * dy;
    z += count * dz;
    xx += count * dx * dx;
    xy += count * dx * dy;
    zz += count * dz * dz;
    zy += count * dz * dy;
  }
  return {
    exponent: (xy - (x * y) / n) / (xx - (x * x) / n),
    rate: (zy - (z * y) / n) / (zz - (z * z) / n),
  };
}

/** The least-squares slope of the known losses against the step, from a point on; null where fewer than two are known. */
function lossSlope(points: readonly TrailPoint[], start: number): number | null {
  const origin = points[points.length - 1] as TrailPoint;
  let [known, n, z, y, zz, zy] = [0, 0, 0, 0, 0, 0];
  for (let at = start; at < points.length; at++) {
    const { loss, count, step } = points[at] as TrailPoint;
    if (loss === null) continue;
    const dz = step - origin.step;
    known++;
    n += count;
    z += count * dz;
    y += count * loss;
    zz += count * dz * dz;
    zy += count * dz * loss;
  }
  return known < 2 ? null : (zy - (z * y) / n) / (zz - (z * z) / n);
}

/** The least-squares slope through three points. */
function slope([x0, x1, x2]: Three, [y0, y1, y2]: Three): number {
  const meanX = (x0 + x1 + x2) / 3;
  const [a, b, c] = [x0 - meanX, x1 - meanX, x2 - meanX];
  return (a * y0 + b * y1 + c * y2) / (a * a + b * b + c * c);
}

type Three = readonly [number, number, number];
