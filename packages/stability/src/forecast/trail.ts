import type { Signals } from '../signals.ts';

/** What the forecast keeps of a step that carried TEV. */
export interface TrailPoint {
  step: number;
  /** log(step + 1): steps count from 0. */
  logStep: number;
  /** log tevMean */
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
  /** Moving averages of log(gradNorm² / gradVar): how far the micro-batches agree. Null before the first. */
  agreement: Agreement | null;
  /** For the evidence alone: no risk is computed from these. Null where unknown. */
  gradVar: number | null;
  lr: number | null;
}

interface Agreement {
  fast: number;
  slow: number;
}

/** Time constants of the averages, in steps … */
const FAST_STEPS = 5;
const SLOW_STEPS = 40;
/** … and at least so many times the gap between two: a single one is noise. */
const FAST_GAPS = 3;
const SLOW_GAPS = 12;

/** Points that are kept: more than the longest window holds, so that a short rewind finds its past. */
const MAX_POINTS = 64;

/** A point without what follows from its step. */
export type TrailState = [
  step: number,
  logTev: number,
  logSpread: number | null,
  excess: number,
  agreement: [fast: number, slow: number] | null,
  gradVar: number | null,
  lr: number | null,
][];

/** The newest points of a run, in the order of their steps, and the step at which it was first seen. */
export class Trail {
  readonly points: TrailPoint[] = [];
  /** The first step with TEV since the run began or was rewound to before all that is kept. */
  first: number | null = null;

  static restore(first: number | null, state: TrailState): Trail {
    const trail = new Trail();
    trail.first = first;
    for (const [step, logTev, logSpread, excess, averages, gradVar, lr] of state) {
      const agreement = averages && { fast: averages[0], slow: averages[1] };
      trail.points.push({ step, logStep: Math.log(step + 1), logTev, logSpread, excess, agreement, gradVar, lr });
    }
    return trail;
  }

  state(): TrailState {
    return this.points.map(({ step, logTev, logSpread, excess, agreement, gradVar, lr }) => {
      return [step, logTev, logSpread, excess, agreement && [agreement.fast, agreement.slow], gradVar, lr];
    });
  }

  /** Takes a step after rewinding to before it. Returns whether the forecast has anything to go by in it. */
  add({ step, tevMean, tevStd, gradVar, gradNorm, lr }: Signals): boolean {
    this.rewind(step);
    if (!isPositive(tevMean)) return false;
    const logStep = Math.log(step + 1);
    const logTev = Math.log(tevMean);
    const before = this.points.at(-1);
    this.points.push({
      step,
      logStep,
      logTev,
      logSpread: isPositive(tevStd) ? Math.log(tevStd) - logTev : null,
      excess: before ? Math.max(0, before.excess + (logTev - before.logTev) - (logStep - before.logStep)) : 0,
      agreement:
        isPositive(gradVar) && isPositive(gradNorm)
          ? follow(before, step, 2 * Math.log(gradNorm) - Math.log(gradVar))
          : (before?.agreement ?? null),
      gradVar: isPositive(gradVar) ? gradVar : null,
      lr: isPositive(lr) ? lr : null,
    });
    this.first ??= step;
    if (this.points.length > MAX_POINTS) this.points.shift();
    return true;
  }

  /** Forgets a step and all after it. */
  rewind(step: number): void {
    while ((this.points.at(-1)?.step ?? Number.NEGATIVE_INFINITY) >= step) this.points.pop();
    if (this.points.length === 0) this.first = null;
  }
}

function follow(before: TrailPoint | undefined, step: number, value: number): Agreement {
  if (!before?.agreement) return { fast: value, slow: value };
  const { fast, slow } = before.agreement;
  const gap = step - before.step;
  const share = (steps: number, gaps: number) => 1 - Math.exp(-gap / Math.max(steps, gaps * gap));
  return {
    fast: fast + share(FAST_STEPS, FAST_GAPS) * (value - fast),
    slow: slow + share(SLOW_STEPS, SLOW_GAPS) * (value - slow),
  };
}

/** Whether a step carries TEV that has a logarithm. */
export function isForecastable({ tevMean }: Signals): boolean {
  return isPositive(tevMean);
}

function isPositive(value: number | null | undefined): value is number {
  return value != null && value > 0 && value < Number.POSITIVE_INFINITY;
}
