import { and, eq } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { runHistory } from '../tables/schema.ts';
import { isOlder, newestFirst, pageOf, type TimePage } from './time-cursor.ts';

/** A line of a run's history. */
export type HistoryRow = typeof runHistory.$inferSelect;

export interface HistoryQuery {
  run: string;
  limit: number;
  /** Behind which line the list goes on: `nextCursor` of the page before. */
  cursor?: string | undefined;
}

const ORDER = { time: runHistory.at, id: runHistory.id, type: 'int8' } as const;

/** What happened to a run beside its steps, alerts and commands, the newest first. */
export async function readHistory(db: Database, { run: id, limit, cursor }: HistoryQuery): Promise<HistoryRow[]> {
  return db.sql
    .select()
    .from(runHistory)
    .where(and(eq(runHistory.run, id), cursor === undefined ? undefined : isOlder(cursor, ORDER)))
    .orderBy(...newestFirst(ORDER))
    .limit(limit);
}

/**
 * A page of {@link readHistory}.
 * @throws RefusedError where the cursor is not of such a list.
 */
export async function pageHistory(db: Database, query: HistoryQuery): Promise<TimePage<HistoryRow>> {
  return pageOf(await readHistory(db, { ...query, limit: query.limit + 1 }), query.limit, ({ at }) => at);
}
