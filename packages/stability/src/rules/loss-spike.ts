import type { Rule, Signals } from '../finding.ts';
import { WINDOW_STEPS } from '../finding.ts';
import { readable } from '../readable.ts';

const SIGMAS = 6;
/** Fewer losses than this tell no standard deviation to be judged by. */
const MIN_LOSSES = WINDOW_STEPS / 2;
/** Float32 resolves no finer, relative to the mean: a loss that stands still has no smaller sigma. */
const RESOLUTION = 2 ** -23;

/**
 * The loss is more than six standard deviations above the mean of the 128 steps before (the rule by which OLMo-core's
 * SkipStepOptimizer passes over an update, with its defaults). It sees a spike when it is there, also one that passes:
 * hence a warning.
 */
export const lossSpike: Rule = (history) => {
  const newest = history.at(-1);
  const loss = newest?.loss;
  if (!newest || !isFiniteNumber(loss)) return null;
  const before = finiteLosses(history.slice(-1 - WINDOW_STEPS, -1));
  if (before.length < MIN_LOSSES) return null;
  const { mean, std } = spread(before);
  if (!(loss > mean + SIGMAS * std)) return null;
  return {
    rule: 'loss-spike',
    severity: 'warning',
    step: newest.step,
    message: `loss rose to ${readable(loss)}, more than ${SIGMAS} sigma above ${readable(mean)}, its mean over the ${before.length} steps before`,
    evidence: { loss, mean, std, losses: before.length },
  };
};

function finiteLosses(steps: readonly Signals[]): number[] {
  const losses: number[] = [];
  for (const { loss } of steps) if (isFiniteNumber(loss)) losses.push(loss);
  return losses;
}

function isFiniteNumber(value: number | null | undefined): value is number {
  return value != null && Number.isFinite(value);
}

// Over the window anew at every step: running sums would carry the rounding of all that went through them, and a
// restored detector would differ from one that never stopped.
function spread(values: readonly number[]): { mean: number; std: number } {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, std: Math.max(Math.sqrt(squares / values.length), RESOLUTION * Math.abs(mean)) };
}
