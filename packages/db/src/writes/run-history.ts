import { and, eq, sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { attempt, run, runHistory } from '../tables/schema.ts';

interface Conflicts {
  run: string;
  attempt: number;
  /** How many values two emitters disagree on. */
  count: number;
  /** One of them. */
  field: string;
  step: number;
  /** Who sent the later value; null where unknown. */
  by: string | null;
}

/** Counts values for which two emitters of an attempt sent different numbers; the first are recorded in the history. */
export async function recordConflicts(db: Database, { run: id, attempt: number, ...found }: Conflicts, now: Date) {
  await db.sql.transaction(async (tx) => {
    await tx.select({ id: run.id }).from(run).where(eq(run.id, id)).for('update'); // in the order of all
    const [counted] = await tx
      .update(attempt)
      .set({ conflicts: sql`${attempt.conflicts} + ${found.count}` })
      .where(and(eq(attempt.run, id), eq(attempt.number, number)))
      .returning({ conflicts: attempt.conflicts });
    if (counted?.conflicts !== found.count) return;
    const reason = `two emitters of this attempt send different values of ${found.field}: the later one is kept`;
    const { step, by } = found;
    await tx.insert(runHistory).values({ run: id, attempt: number, kind: 'conflict', step, by, reason, at: now });
  });
}

interface Report {
  run: string;
  attempt: number;
  /** Who sent it; null where unknown. */
  by: string | null;
  /** A sentence for a person. */
  reason: string;
}

/** Records, once for each attempt, that steps of it are stored and no policy acts on them. */
export async function recordInert(db: Database, { run: id, attempt: number, by, reason }: Report, now: Date) {
  await db.sql.transaction(async (tx) => {
    await tx.select({ id: run.id }).from(run).where(eq(run.id, id)).for('update'); // in the order of all
    const kind = 'steps not acted on';
    const isRecorded = and(eq(runHistory.run, id), eq(runHistory.attempt, number), eq(runHistory.kind, kind));
    const [known] = await tx.select({ id: runHistory.id }).from(runHistory).where(isRecorded).limit(1);
    if (!known) await tx.insert(runHistory).values({ run: id, attempt: number, kind, by, reason, at: now });
  });
}

/** Records what the program of a run reports for a person. */
export async function recordReport(db: Database, { run, attempt: number, by, reason }: Report, now: Date) {
  await db.sql.insert(runHistory).values({ run, attempt: number, kind: 'report', by, reason, at: now });
}
