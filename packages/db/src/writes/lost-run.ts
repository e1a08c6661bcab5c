import { and, asc, eq, inArray, lt, type SQL, sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { run } from '../tables/schema.ts';

/** Records that something of these running runs was received, steps or not. */
export async function touchRuns(db: Database, runs: string[], now: Date): Promise<void> {
  const lastSeenAt = sql`greatest(${run.lastSeenAt}, ${now.toISOString()}::timestamptz)`;
  await db.sql
    .update(run)
    .set({ lastSeenAt })
    .where(inArray(run.id, runningRuns(db, inArray(run.id, runs))));
}

/**
 * Calls every running run lost that was silent since then.
 * @returns the runs that are lost now.
 */
export async function markLostRuns(db: Database, { silentSince }: { silentSince: Date }, now: Date): Promise<string[]> {
  const lost = await db.sql
    .update(run)
    .set({ status: 'lost', endedAt: now })
    .where(inArray(run.id, runningRuns(db, lt(run.lastSeenAt, silentSince))))
    .returning({ id: run.id });
  return lost.map(({ id }) => id);
}

/** Locked in the order of ids, as commits of steps lock them. */
function runningRuns(db: Database, condition: SQL) {
  return db.sql
    .select({ id: run.id })
    .from(run)
    .where(and(eq(run.status, 'running'), condition))
    .orderBy(asc(run.id))
    .for('update');
}
