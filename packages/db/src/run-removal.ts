import { RefusedError } from '@evenkeel/protocol';
import { eq } from 'drizzle-orm';
import type { Database } from './database.ts';
import { lockBuilds } from './rollup.ts';
import { alertEvent, rollup, run, scalarValues, step } from './schema.ts';

/**
 * Puts a run away, or back: lists leave it out meanwhile, and all of it stays.
 * @throws RefusedError where there is no such run.
 */
export async function archiveRun(db: Database, id: string, archived: boolean, now: Date): Promise<void> {
  const changed = await db.sql
    .update(run)
    .set({ archivedAt: archived ? now : null })
    .where(eq(run.id, id))
    .returning({ id: run.id });
  if (changed.length === 0) throw new RefusedError('run', 'no such run');
}

/**
 * Deletes a run with all that belongs to it, for good.
 * @param name what the run is called, so that nobody deletes another than the one that was meant.
 * @throws RefusedError where there is no such run, it has another name, or it is running.
 */
export async function deleteRun(db: Database, { run: id, name }: { run: string; name: string }): Promise<void> {
  await db.sql.transaction(async (tx) => {
    const [found] = await tx
      .select({ name: run.name, status: run.status })
      .from(run)
      .where(eq(run.id, id))
      .for('update');
    if (!found) throw new RefusedError('run', 'no such run');
    if (found.name !== name) throw new RefusedError('name', 'the run has another name');
    if (found.status === 'running') throw new RefusedError('run', 'the run is running: stop it first');
    await tx.delete(run).where(eq(run.id, id)); // and with it attempts, alerts, commands, forecasts
    await lockBuilds(tx, id); // whoever is rolling it up ends first, and finds no attempt then
    await tx.delete(alertEvent).where(eq(alertEvent.run, id));
    await tx.delete(step).where(eq(step.run, id));
    await tx.delete(scalarValues).where(eq(scalarValues.run, id));
    await tx.delete(rollup).where(eq(rollup.run, id));
  });
}
