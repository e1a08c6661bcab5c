import { median } from './statistics.ts';

interface MeasuredStep {
  step: number;
  loss?: number | null;
  gradNorm?: number | null;
}

/**
 * The step at which a run diverges by its losses, see {@link divergenceOf}; null where it does not. A gradient that is
 * not finite ends a run as a loss does.
 */
export function divergedAt(steps: readonly MeasuredStep[]): number | null {
  const measured = steps.filter(({ loss }) => loss != null);
  const losses = measured.map(({ loss, gradNorm }) => (Number.isFinite(gradNorm ?? 0) ? (loss as number) : Number.NaN));
  const at = divergenceOf(losses);
  return at === null ? null : (measured[at]?.step ?? null);
}

/** The level of a loss is the median of as many of its last values: one bad batch is no divergence. */
const LEVEL_LOSSES = 9;
/** Half of what had been learned, but no less than this, in nats, is lost in a divergence. */
const LEAST_RISE = 0.4;
/** For as many losses, or to the end, the level stays up. */
const LASTING = 40;

/**
 * Where among its losses a run diverges, null where it does not: at the first that is not finite, or where the level
 * rises above its best so far by half of what had been learned ({@link LEAST_RISE} at least) and stays there, even if
 * it comes down again much later.
 */
export function divergenceOf(losses: readonly number[]): number | null {
  const end = losses.findIndex((loss) => !Number.isFinite(loss));
  const finite = end < 0 ? losses : losses.slice(0, end);
  const rise = riseOf(finite);
  return rise ?? (end < 0 ? null : end);
}

function riseOf(losses: readonly number[]): number | null {
  const levels = losses.map((_, at) => median(losses.slice(Math.max(0, at + 1 - LEVEL_LOSSES), at + 1)));
  const first = levels[0] ?? Number.NaN;
  let best = Number.POSITIVE_INFINITY;
  for (const [at, level] of levels.entries()) {
    best = Math.min(best, level);
    const limit = best + Math.max((first - best) / 2, LEAST_RISE);
    if (level > limit && levels.slice(at, at + LASTING).every((later) => later > limit)) return at;
  }
  return null;
}
