import type { RunDetail } from '../../trpc/client.tsx';

export interface AttemptRow {
  number: number;
  status: string;
  firstStep: number | null;
  lastStep: number | null;
  startedAt: Date;
  /** Values for which two emitters sent different numbers. */
  conflicts: number;
  /** Names of the ingest keys that it was sent with, in order; empty where it was sent without. */
  keys: string[];
}

/**
 * A run's lives. The run's status and last step are those of its newest attempt, and fresher; an older attempt without
 * a status was killed, or lost its way to the server.
 */
export function attemptRows({ attempts, status, lastStep }: Pick<RunDetail, 'attempts' | 'status' | 'lastStep'>) {
  return attempts.map(({ keys, ...rest }, at): AttemptRow => {
    const attempt = { ...rest, keys: keys.map(({ name }) => name) };
    if (at < attempts.length - 1) return { ...attempt, status: attempt.status ?? 'lost contact' };
    const hasSteps = attempt.firstStep !== null || at === 0; // else the run's last step is of an older attempt
    return { ...attempt, status, lastStep: hasSteps ? lastStep : null };
  });
}
