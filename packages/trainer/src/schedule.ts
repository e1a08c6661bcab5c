export const SCHEDULES = ['cosine', 'constant', 'linear', 'ramp', 'restarts'] as const;

/** The learning rate over the steps of a run, counted from 0. */
export interface Schedule {
  /**
   * After the warm-up: `cosine` decays to the floor along half a cosine, `linear` along a line, `constant` does not decay. `ramp` is `cosine` up to step `rampFrom`, then grows by `rampFactor` every step, to make a run diverge;
   * from step `rampUntil` on it is constant. `restarts` is SGDR (Loshchilov and Hutter, arXiv 1608.03983) with periods of
   * one length: a cosine from the peak to the floor, repeated.
   */
  kind: (typeof SCHEDULES)[number];
  peak: number;
  /** The rate that `cosine`, `linear` and `restarts` decay to, as a share of the peak; GPT-3 has a tenth (arXiv 2005.14165). */
  floor: number;
  /** Steps of linear growth from 0, the last of which has the peak. */
  warmup: number;
  /** Steps of the whole run. */
  steps: number;
  rampFrom: number;
  rampFactor: number;
  /** Beyond the last step, the rate grows to the end. */
  rampUntil: number;
  /** Steps of one period of `restarts`; the first begins after the warm-up. */
  restartEvery: number;
}

/** How many steps later a planned rate is used. */
const STEPS_AHEAD = 20;

export function learningRate(schedule: Schedule, step: number): number {
  const { kind, peak, floor, warmup, steps, rampFrom, rampFactor, rampUntil, restartEvery } = schedule;
  if (kind === 'ramp') {
    const grown = Math.max(0, Math.min(step, rampUntil) - rampFrom);
    return learningRate({ ...schedule, kind: 'cosine' }, Math.min(step, rampFrom)) * rampFactor ** grown;
  }
  if (step < warmup) return (peak * (step + 1)) / warmup;
  if (kind === 'restarts') {
    const period = { ...schedule, kind: 'cosine', warmup: 0, steps: restartEvery } as const;
    return learningRate(period, (step - warmup) % restartEvery);
  }
  const progress = (step - warmup) / Math.max(1, steps - 1 - warmup); // 0 at the end of the warm-up, 1 at the last step
  return peak * (floor + (1 - floor) * LEFT[kind](progress));
}

/** The rate planned for {@link STEPS_AHEAD} steps after a step; near the end of the run, that of its last step. */
export function learningRateAhead(schedule: Schedule, step: number): number {
  return learningRate(schedule, Math.min(step + STEPS_AHEAD, schedule.steps - 1));
}

/** The remaining share of the way from the floor to the peak, 1 at progress 0. */
const LEFT = {
  cosine: (progress: number) => 0.5 * (1 + Math.cos(Math.PI * progress)),
  linear: (progress: number) => 1 - progress,
  constant: () => 1,
};
