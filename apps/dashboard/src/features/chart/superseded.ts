import { type AttemptSpan, supersededSpans } from '@evenkeel/stability';

/** Steps of an attempt that a later one has taken over, with the one before them, where the two part. */
export interface Superseded {
  attempt: number;
  from: number;
  to: number;
}

/** The newest first. */
export function supersededSteps(attempts: readonly AttemptSpan[]): Superseded[] {
  return supersededSpans(attempts).map(({ attempt, first, last }) => {
    const own = attempts.find(({ number }) => number === attempt)?.firstStep ?? first;
    return { attempt, from: Math.max(own, first - 1), to: last };
  });
}

/** The last step that any attempt came to, beyond the run's own where it rewound; −∞ where none has made a step. */
export function furthestStep(attempts: readonly AttemptSpan[]): number {
  return attempts.reduce(
    (furthest, { lastStep }) => Math.max(furthest, lastStep ?? furthest),
    Number.NEGATIVE_INFINITY,
  );
}
