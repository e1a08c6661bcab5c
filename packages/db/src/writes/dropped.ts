import { DropCount, type DroppedValue, OTHER_FIELDS, RefusedError } from '@evenkeel/protocol';
import { and, count, eq, ne, sql } from 'drizzle-orm';
import { type Database, onlyRow, type Sql } from '../database.ts';
import { MAX_ROWS } from '../reads/dropped.ts';
import { attempt as attemptTable, droppedValue, run as runTable } from '../tables/schema.ts';

interface Dropped {
  run: string;
  attempt: number;
  values: readonly DroppedValue[];
}

const SERVER = '';

/** Adds to what the server left out of attempts whose runs this transaction has locked. */
export async function countDropped(tx: Sql, all: readonly Dropped[]): Promise<void> {
  for (const { run, attempt, values } of all) {
    if (values.length === 0) continue;
    const { rows } = onlyRow(await tx.select({ rows: count() }).from(droppedValue).where(isOf(run, attempt)));
    const isFull = rows + values.length > MAX_ROWS;
    for (const value of values) await addOne(tx, { run, attempt, ...value }, isFull);
  }
}

async function addOne(tx: Sql, row: DroppedValue & { run: string; attempt: number }, isFull: boolean): Promise<void> {
  const isServers = and(isOf(row.run, row.attempt), eq(droppedValue.source, SERVER));
  const key = and(isServers, eq(droppedValue.field, row.field), eq(droppedValue.reason, row.reason));
  const more = { count: sql`${droppedValue.count} + ${row.count}` };
  if (isFull) {
    const known = await tx.update(droppedValue).set(more).where(key).returning({ field: droppedValue.field });
    if (known.length > 0) return;
  }
  await tx
    .insert(droppedValue)
    .values(isFull ? { ...row, field: OTHER_FIELDS } : row)
    .onConflictDoUpdate({
      target: [droppedValue.run, droppedValue.attempt, droppedValue.field, droppedValue.reason, droppedValue.source],
      set: more,
    });
}

/**
 * Keeps what a client has left out so far. It reports all of it each time, so that no repetition is counted twice: what
 * is no more than it reported before is an older message.
 * @param source the client's session.
 * @returns whether that is more than was known.
 * @throws RefusedError where there is no such run or attempt.
 */
export async function reportDropped(
  db: Database,
  { run, attempt, source, values }: Dropped & { source: string },
): Promise<boolean> {
  return db.sql.transaction(async (tx) => {
    await lockAttempt(tx, run, attempt);
    const isSources = and(isOf(run, attempt), eq(droppedValue.source, source));
    const total = sql<number>`coalesce(sum(${droppedValue.count}), 0)`.mapWith(Number);
    const former = onlyRow(await tx.select({ total }).from(droppedValue).where(isSources));
    const others = and(isOf(run, attempt), ne(droppedValue.source, source));
    const taken = onlyRow(await tx.select({ rows: count() }).from(droppedValue).where(others));
    const counted = new DropCount(MAX_ROWS - taken.rows);
    counted.addAll(values);
    if (counted.total <= former.total) return false;
    // in all attempts: the server may have moved the client to a later one since
    await tx.delete(droppedValue).where(and(eq(droppedValue.run, run), eq(droppedValue.source, source)));
    await tx.insert(droppedValue).values(counted.values().map((value) => ({ ...value, run, attempt, source })));
    return true;
  });
}

async function lockAttempt(tx: Sql, id: string, number: number): Promise<void> {
  const { run, number: ofRun } = attemptTable;
  const [locked] = await tx.select({ id: runTable.id }).from(runTable).where(eq(runTable.id, id)).for('update');
  if (!locked) throw new RefusedError('run', 'no such run');
  const [found] = await tx
    .select({ number: ofRun })
    .from(attemptTable)
    .where(and(eq(run, id), eq(ofRun, number)));
  if (!found) throw new RefusedError('attempt', 'the run has no such attempt');
}

function isOf(run: string, attempt: number) {
  return and(eq(droppedValue.run, run), eq(droppedValue.attempt, attempt));
}
