import { RefusedError } from '@evenkeel/protocol';
import { eq } from 'drizzle-orm';
import type { Database } from '../database.ts';
import type { RunSource } from '../reads/run-source.ts';
import { runSource } from '../tables/schema.ts';

/**
 * Notes how the client of another tracker knows a run.
 * @throws RefusedError where another run of the door is called so.
 */
export async function createRunSource(db: Database, source: RunSource): Promise<void> {
  const created = await db.sql.insert(runSource).values(source).onConflictDoNothing().returning({ run: runSource.run });
  if (created.length === 0) throw new RefusedError('externalId', 'another run is called so: try again', true);
}

/**
 * Keeps something else for a run's client, for whom nobody else does.
 * @throws RefusedError where the run has no such client.
 */
export async function keepRunState(db: Database, id: string, state: RunSource['state']): Promise<void> {
  const isIt = eq(runSource.run, id);
  const kept = await db.sql.update(runSource).set({ state }).where(isIt).returning({ run: runSource.run });
  if (kept.length === 0) throw new RefusedError('run', 'no such run');
}

/**
 * Changes what is kept for a run's client.
 * @param change gets what is kept and returns what is to be kept; no other change comes between.
 * @returns what is kept now.
 * @throws RefusedError where the run has no such client.
 */
export async function changeRunState(
  db: Database,
  id: string,
  change: (state: RunSource['state']) => RunSource['state'],
): Promise<RunSource['state']> {
  return db.sql.transaction(async (tx) => {
    const isIt = eq(runSource.run, id);
    const [known] = await tx.select({ state: runSource.state }).from(runSource).where(isIt).for('update');
    if (!known) throw new RefusedError('run', 'no such run');
    const state = change(known.state);
    await tx.update(runSource).set({ state }).where(isIt);
    return state;
  });
}
