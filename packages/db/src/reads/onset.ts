import { and, desc, ne, sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { arrayOf, UUID } from '../drivers/array-wire.ts';
import { alert, run } from '../tables/schema.ts';
import { HAS_UNREAD } from './alert-outcome.ts';

const MAX_RUNS = 1_000;

/**
 * Runs that are over and had alerts, of which it is not known whether they diverged: the last thousand that started.
 * @param among all runs where it is left out.
 */
export async function runsWithoutOnset(db: Database, among?: readonly string[]): Promise<string[]> {
  const isAsked = among && sql`${run.id} = any(${arrayOf(UUID, among)}::uuid[])`;
  const hasAlert = sql`exists (select from ${alert} as raised where raised.run = ${run.id})`;
  const rows = await db.sql
    .select({ id: run.id })
    .from(run)
    .where(and(isAsked, ne(run.status, 'running'), hasAlert, HAS_UNREAD))
    .orderBy(desc(run.startedAt), desc(run.id))
    .limit(MAX_RUNS);
  return rows.map(({ id }) => id);
}
