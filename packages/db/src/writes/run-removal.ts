import { RefusedError } from '@evenkeel/protocol';
import { eq } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { alertEvent, consoleLine, rollup, run, runHistory, scalarValues, step } from '../tables/schema.ts';
import { lockBuilds } from './rollup.ts';
import { newestAttempt } from './run.ts';

/**
 * Archives a run, or brings it back: lists leave it out meanwhile, and all of it stays.
 * @param by who does it; null where unknown.
 * @throws RefusedError where there is no such run.
 */
export async function archiveRun(
  db: Database,
  { run: id, archived, by }: { run: string; archived: boolean; by: string | null },
  now: Date,
): Promise<void> {
  await db.sql.transaction(async (tx) => {
    const isRun = eq(run.id, id);
    const [found] = await tx.select({ archivedAt: run.archivedAt }).from(run).where(isRun).for('update');
    if (!found) throw new RefusedError('run', 'no such run');
    if ((found.archivedAt !== null) === archived) return;
    await tx
      .update(run)
      .set({ archivedAt: archived ? now : null })
      .where(isRun);
    const kind = archived ? 'run archived' : 'run restored';
    const reason = archived ? 'lists leave it out' : 'it is in lists again';
    const number = await newestAttempt(tx, id);
    await tx.insert(runHistory).values({ run: id, attempt: number, kind, by, reason, at: now });
  });
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
    await tx.delete(consoleLine).where(eq(consoleLine.run, id));
    await tx.delete(rollup).where(eq(rollup.run, id));
  });
}
