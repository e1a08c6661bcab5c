import { desc, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { decodeCursor, encodeCursor, isStorableTime, notACursor, UUID_TEXT } from './run-cursor.ts';

/** What a list of events is ordered by, the newest first. */
export interface TimeOrder {
  time: PgColumn;
  id: PgColumn;
  type: 'uuid' | 'int8';
}

/** One page of such a list. */
export interface TimePage<Row> {
  rows: Row[];
  /** Where the list goes on; null behind its last row. */
  nextCursor: string | null;
}

export function newestFirst({ time, id }: TimeOrder): SQL[] {
  return [desc(time), desc(id)];
}

/**
 * Which rows stand behind the one of a cursor.
 * @throws RefusedError where the text is not a cursor of such a list.
 */
export function isOlder(cursor: string, { time, id, type }: TimeOrder): SQL {
  const [at, key, ...rest] = decodeCursor(cursor);
  if (rest.length > 0 || !isInstant(at) || !isId(key, type)) throw notACursor();
  return sql`(${time}, ${id}) < (${at}::timestamptz, ${key}::${sql.raw(type)})`;
}

/** @param rows one more than the limit where there is a next page. */
export function pageOf<Row extends { id: string | number }>(
  rows: readonly Row[],
  limit: number,
  timeOf: (row: Row) => Date,
): TimePage<Row> {
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return { rows: page, nextCursor: last ? encodeCursor([timeOf(last).toISOString(), last.id]) : null };
}

function isInstant(value: unknown): boolean {
  const date = new Date(typeof value === 'string' ? value : Number.NaN);
  return isStorableTime(date) && date.toISOString() === value;
}

function isId(value: unknown, type: TimeOrder['type']): boolean {
  return type === 'uuid' ? UUID_TEXT.test(String(value)) : Number.isSafeInteger(value);
}
