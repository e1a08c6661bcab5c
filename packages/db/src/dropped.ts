import { type DroppedValue, OTHER_FIELDS } from '@evenkeel/protocol';
import { and, asc, count, eq, sql } from 'drizzle-orm';
import type { Database, Sql } from './database.ts';
import { droppedValue } from './schema.ts';

/** Rows that one attempt may have; what is left out of further fields is counted together. */
const MAX_ROWS = 1_000;

interface Dropped {
  run: string;
  attempt: number;
  values: readonly DroppedValue[];
}

/** Adds to what was left out of attempts whose runs this transaction has locked. */
export async function countDropped(tx: Sql, all: readonly Dropped[]): Promise<void> {
  for (const { run, attempt, values } of all) {
    if (values.length === 0) continue;
    const [known] = await tx.select({ rows: count() }).from(droppedValue).where(isOf(run, attempt));
    const isFull = (known?.rows ?? 0) + values.length > MAX_ROWS;
    for (const value of values) await addOne(tx, { run, attempt, ...value }, isFull);
  }
}

async function addOne(tx: Sql, row: DroppedValue & { run: string; attempt: number }, isFull: boolean): Promise<void> {
  const key = and(isOf(row.run, row.attempt), eq(droppedValue.field, row.field), eq(droppedValue.reason, row.reason));
  const more = { count: sql`${droppedValue.count} + ${row.count}` };
  if (isFull) {
    const known = await tx.update(droppedValue).set(more).where(key).returning({ field: droppedValue.field });
    if (known.length > 0) return;
  }
  await tx
    .insert(droppedValue)
    .values(isFull ? { ...row, field: OTHER_FIELDS } : row)
    .onConflictDoUpdate({
      target: [droppedValue.run, droppedValue.attempt, droppedValue.field, droppedValue.reason],
      set: more,
    });
}

function isOf(run: string, attempt: number) {
  return and(eq(droppedValue.run, run), eq(droppedValue.attempt, attempt));
}

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
