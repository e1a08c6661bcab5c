import { and, desc, eq, sql } from 'drizzle-orm';
import type { Database } from './database.ts';
import { attempt, run, runHistory } from './schema.ts';

/** A line of a run's history. */
export type HistoryRow = typeof runHistory.$inferSelect;

/** What happened to a run beside its steps, alerts and commands, the newest first. */
export async function readHistory(
  db: Database,
  { run: id, limit }: { run: string; limit: number },
): Promise<HistoryRow[]> {
  return db.sql
    .select()
    .from(runHistory)
    .where(eq(runHistory.run, id))
    .orderBy(desc(runHistory.at), desc(runHistory.id))
    .limit(limit);
}

interface Conflicts {
  run: string;
  attempt: number;
  /** How many values two emitters disagree on. */
  count: number;
  /** One of them. */
  field: string;
  step: number;
  /** Who sent the later value; null where that is not told. */
  by: string | null;
}

/** Counts values for which two emitters of an attempt sent different numbers; the first are noted in the history. */
export async function noteConflicts(db: Database, { run: id, attempt: number, ...found }: Conflicts, now: Date) {
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

interface InertSteps {
  run: string;
  attempt: number;
  /** Who sent the steps; null where that is not told. */
  by: string | null;
  /** A sentence for a person. */
  reason: string;
}

/** Notes, once for each attempt, that steps of it are stored and no policy acts on them. */
export async function noteInert(db: Database, { run: id, attempt: number, by, reason }: InertSteps, now: Date) {
  await db.sql.transaction(async (tx) => {
    await tx.select({ id: run.id }).from(run).where(eq(run.id, id)).for('update'); // in the order of all
    const kind = 'steps not acted on';
    const isNoted = and(eq(runHistory.run, id), eq(runHistory.attempt, number), eq(runHistory.kind, kind));
    const [known] = await tx.select({ id: runHistory.id }).from(runHistory).where(isNoted).limit(1);
    if (!known) await tx.insert(runHistory).values({ run: id, attempt: number, kind, by, reason, at: now });
  });
}
