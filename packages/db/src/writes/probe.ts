import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { type Database, throwCause } from '../database.ts';
import { attempt, run, step } from '../tables/schema.ts';

/** Thrown to roll back a transaction in which all went well. */
class RollBack extends Error {}

/**
 * Does what storing steps does, and takes it back: takes the locks, and writes a row. Rejects with the database's error
 * where that fails, or a lock is not free within a quarter of a second. It settles late, or never, where nothing answers.
 */
export async function probeIngest(db: Database): Promise<void> {
  const probing = db.sql.transaction(async (tx) => {
    await tx.execute(sql`set local lock_timeout = '250ms'`).catch(throwCause);
    await tx.execute(sql`set local statement_timeout = '5s'`).catch(throwCause);
    await tx.execute(sql`lock table ${run}, ${attempt}, ${step} in row exclusive mode`).catch(throwCause);
    await tx
      .insert(step)
      .values({ run: randomUUID(), attempt: 1, step: 0, time: new Date(0) }) // of no run: nobody can see it or wait for it
      .catch(throwCause);
    throw new RollBack();
  });
  await probing.catch((error: unknown) => {
    if (!(error instanceof RollBack)) throw error;
  });
}
