/** What of an attempt there is to know here. */
export interface AttemptSpan {
  number: number;
  firstStep: number | null;
  lastStep: number | null;
}

/** Steps of an attempt that a later one has taken over, with the one before them, where the two part. */
export interface Superseded {
  attempt: number;
  from: number;
  to: number;
}

/** The newest first; an attempt owns the timeline from its first step on, whatever older ones have beyond. */
export function supersededSteps(attempts: readonly AttemptSpan[]): Superseded[] {
  const superseded: Superseded[] = [];
  let taken = Number.POSITIVE_INFINITY;
  for (const { number, firstStep, lastStep } of attempts.toReversed()) {
    if (firstStep === null || lastStep === null) continue;
    if (lastStep >= taken) superseded.push({ attempt: number, from: Math.max(firstStep, taken - 1), to: lastStep });
    taken = Math.min(taken, firstStep);
  }
  return superseded;
}

/** The last step that any attempt came to, beyond the run's own where it rewound; 0 where none has made a step. */
export function furthestStep(attempts: readonly AttemptSpan[]): number {
  return attempts.reduce((furthest, { lastStep }) => Math.max(furthest, lastStep ?? 0), 0);
}
