import { UNNAMEABLE } from '@evenkeel/protocol';
import type { Found } from '@evenkeel/readers';

type Row = Found & { kind: 'row' };

/** How far each name of an attempt has come: what is remembered of its rows. */
export interface Reports {
  /** The last step by name. */
  steps: Record<string, number>;
  /** The latest time of a row, in milliseconds since 1970; 0 where none has one. */
  time: number;
}

/** Before the first row. */
export function noReports(): Reports {
  return { steps: {}, time: 0 };
}

/** Adds a row to them. */
export function addReport(reports: Reports, { step, time, values }: Row): void {
  for (const name in values)
    if (name !== UNNAMEABLE) reports.steps[name] = Math.max(step, lastOf(reports, name) ?? step);
  reports.time = Math.max(reports.time, time ?? 0);
}

/**
 * Whether the row of a further file goes back behind those of the files before, as a job does that goes on from a
 * checkpoint. Two programs may write at the same time, and each may repeat at step 0 what is constant: both are no rewind.
 */
export function isRewind(reports: Reports, { step, time, values }: Row): boolean {
  if (step <= 0 || time === null || time <= reports.time) return false;
  for (const name in values) if (step <= (lastOf(reports, name) ?? 0)) return true;
  return false;
}

function lastOf({ steps }: Reports, name: string): number | undefined {
  return Object.hasOwn(steps, name) ? steps[name] : undefined;
}
