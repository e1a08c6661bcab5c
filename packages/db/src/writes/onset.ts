import { and, eq } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { attempt } from '../tables/schema.ts';

/** Where a run had diverged when an attempt left it, null where it had not, and the last step that was looked at. */
export interface AttemptOnset {
  attempt: number;
  onset: number | null;
  lastStep: number;
}

/** Stores what became of a run that is over, by attempt. */
export async function saveOnsets(db: Database, run: string, onsets: readonly AttemptOnset[]): Promise<void> {
  await db.sql.transaction(async (tx) => {
    for (const { attempt: number, onset, lastStep } of onsets) {
      const isAttempt = and(eq(attempt.run, run), eq(attempt.number, number));
      await tx.update(attempt).set({ onset, onsetTo: lastStep }).where(isAttempt);
    }
  });
}
