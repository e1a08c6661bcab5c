import { type Command, RefusedError } from '@evenkeel/protocol';
import { and, asc, eq } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { command } from '../tables/schema.ts';
import { isOlder, newestFirst, pageOf, type TimePage } from './time-cursor.ts';

/** A command as it is stored, with its result so far. */
export type CommandRow = typeof command.$inferSelect;

export type CommandKey = Pick<Command, 'run' | 'id'>;

/** What a run's attempt has not acknowledged yet, in the order in which it was given. */
export async function pendingCommands(db: Database, id: string, number: number): Promise<CommandRow[]> {
  return db.sql
    .select()
    .from(command)
    .where(and(eq(command.run, id), eq(command.attempt, number), eq(command.status, 'pending')))
    .orderBy(asc(command.createdAt), asc(command.id));
}

/** @throws RefusedError where there is no such command. */
export async function findCommand(db: Database, key: CommandKey): Promise<CommandRow> {
  const [found] = await db.sql.select().from(command).where(isCommand(key));
  if (!found) throw new RefusedError('id', 'no such command');
  return found;
}

const ORDER = { time: command.createdAt, id: command.id, type: 'uuid' } as const;

export interface CommandListQuery {
  run: string;
  /** Only those that answered this alert. */
  alert?: string | undefined;
  limit: number;
  /** Behind which command the list goes on: `nextCursor` of the page before. */
  cursor?: string | undefined;
}

/** Newest first; all of the run, or those that answered one alert. */
export async function listCommands(
  db: Database,
  { run: id, alert, limit, cursor }: CommandListQuery,
): Promise<CommandRow[]> {
  const isOfAlert = alert === undefined ? undefined : eq(command.alert, alert);
  return db.sql
    .select()
    .from(command)
    .where(and(eq(command.run, id), isOfAlert, cursor === undefined ? undefined : isOlder(cursor, ORDER)))
    .orderBy(...newestFirst(ORDER))
    .limit(limit);
}

/**
 * A page of {@link listCommands}.
 * @throws RefusedError where the cursor is not of such a list.
 */
export async function pageCommands(db: Database, query: CommandListQuery): Promise<TimePage<CommandRow>> {
  return pageOf(await listCommands(db, { ...query, limit: query.limit + 1 }), query.limit, (row) => row.createdAt);
}

export function isCommand({ run: id, id: own }: CommandKey) {
  return and(eq(command.run, id), eq(command.id, own));
}
