export const SCHEDULES = ['cosine', 'ramp'] as const;

/** How the learning rate goes over the steps of a run, counted from 0. */
export interface Schedule {
  /**
   * `cosine`: warm-up, then half a cosine down to a tenth of the peak.
   * `ramp`: the same up to step `rampFrom`, and from there on growth by `rampFactor` every step, to make a run diverge.
   */
  kind: (typeof SCHEDULES)[number];
  peak: number;
  /** Steps of linear growth from 0, the last of which has the peak. */
  warmup: number;
  /** Steps of the whole run. */
  steps: number;
  rampFrom: number;
  rampFactor: number;
}

/** Where the cosine ends, in peaks: a tenth, as in GPT-3 (arXiv 2005.14165, appendix B). */
const FLOOR = 0.1;

export function learningRate(schedule: Schedule, step: number): number {
  if (schedule.kind === 'cosine') return cosine(schedule, step);
  const grown = Math.max(0, step - schedule.rampFrom);
  return cosine(schedule, step - grown) * schedule.rampFactor ** grown;
}

function cosine({ peak, warmup, steps }: Schedule, step: number): number {
  if (step < warmup) return (peak * (step + 1)) / warmup;
  const progress = (step - warmup) / Math.max(1, steps - 1 - warmup); // 0 at the end of the warm-up, 1 at the last step
  return peak * (FLOOR + (1 - FLOOR) * 0.5 * (1 + Math.cos(Math.PI * progress)));
}
