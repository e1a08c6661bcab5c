import type { BenchRun } from './run-set.ts';

/** The step of a run's first alarm; null where there is none. */
export type FirstAlarms = ReadonlyMap<BenchRun, number | null>;

export interface Score {
  diverged: number;
  /** With an alarm before their onset. */
  caught: number;
  /** Steps from the alarm to the onset of those that were caught, ascending. */
  leads: number[];
  /** All that did not diverge, and those of them with an alarm. */
  healthy: number;
  falseAlarms: number;
}

/** As the score.mjs of the recorded runs scores: a run's first alarm decides. */
export function scoreOf(alarms: FirstAlarms, counts: (run: BenchRun) => boolean = () => true): Score {
  const score: Score = { diverged: 0, caught: 0, leads: [], healthy: 0, falseAlarms: 0 };
  for (const [run, step] of alarms) {
    if (!counts(run)) continue;
    if (run.onset === null) {
      score.healthy += 1;
      if (step !== null) score.falseAlarms += 1;
      continue;
    }
    score.diverged += 1;
    if (step === null || step >= run.onset) continue;
    score.caught += 1;
    score.leads.push(run.onset - step);
  }
  score.leads.sort((a, b) => a - b);
  return score;
}

/** Runs that diverge while the learning rate is being raised. */
export function isRamp({ kind }: BenchRun): boolean {
  return kind.endsWith('ramp');
}
