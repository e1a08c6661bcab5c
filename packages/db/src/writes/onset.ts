import { and, eq } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { attempt, run } from '../tables/schema.ts';

/** Where a run had diverged when an attempt left it, null where it had not, and of which steps that is known. */
export interface AttemptOnset {
  attempt: number;
  onset: number | null;
  /** The last step that was looked at. */
  lastStep: number;
  /** Steps that were left out, since a person had removed them. */
  removed: readonly number[];
}

/**
 * Stores what became of a run that is over, by attempt; nothing of it where an attempt has other steps since.
 * @returns whether it is stored.
 */
export async function saveOnsets(db: Database, id: string, onsets: readonly AttemptOnset[]): Promise<boolean> {
  return db.sql.transaction(async (tx) => {
    await tx.select({ id: run.id }).from(run).where(eq(run.id, id)).for('update'); // in the order of all
    const attempts = await tx
      .select({ number: attempt.number, lastStep: attempt.lastStep, removed: attempt.removed })
      .from(attempt)
      .where(eq(attempt.run, id));
    const stepsOf = new Map(attempts.map((known) => [known.number, wordsOf(known)]));
    if (onsets.some((found) => stepsOf.get(found.attempt) !== wordsOf(found))) return false;
    for (const { attempt: number, onset, lastStep } of onsets) {
      const isAttempt = and(eq(attempt.run, id), eq(attempt.number, number));
      await tx.update(attempt).set({ onset, onsetTo: lastStep }).where(isAttempt);
    }
    return true;
  });
}

function wordsOf({ lastStep, removed }: { lastStep: number | null; removed: readonly number[] }): string {
  return `to ${lastStep} without ${removed.join()}`;
}
