import type { DroppedValue } from '@evenkeel/protocol';
import { asc, eq, sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { droppedValue } from '../tables/schema.ts';

/** Rows that one attempt may have; what is left out of further fields is counted together. */
export const MAX_ROWS = 1_000;

/** What was left out of all attempts of a run together, the most frequent first. */
export async function readDropped(db: Database, run: string): Promise<DroppedValue[]> {
  const total = sql<number>`sum(${droppedValue.count})`.mapWith(Number);
  return db.sql
    .select({ field: droppedValue.field, reason: droppedValue.reason, count: total })
    .from(droppedValue)
    .where(eq(droppedValue.run, run))
    .groupBy(droppedValue.field, droppedValue.reason)
    .orderBy(sql`sum(${droppedValue.count}) desc`, asc(droppedValue.field), asc(droppedValue.reason))
    .limit(MAX_ROWS);
}
