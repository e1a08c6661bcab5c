import { RefusedError } from '@evenkeel/protocol';
import { count, eq } from 'drizzle-orm';
import { type Database, onlyRow } from '../database.ts';
import type { View } from '../reads/view.ts';
import { view } from '../tables/schema.ts';

const MAX_VIEWS = 200;

/**
 * Keeps a view; never in place of another, which somebody else may count on.
 * @throws RefusedError where the name is taken, or there are as many views as there may be.
 */
export async function saveView(db: Database, { name, query }: Omit<View, 'createdAt'>, now: Date): Promise<View> {
  const { views } = onlyRow(await db.sql.select({ views: count() }).from(view));
  if (views >= MAX_VIEWS) throw new RefusedError('name', `there are ${MAX_VIEWS} views: delete one first`);
  const [saved] = await db.sql.insert(view).values({ name, query, createdAt: now }).onConflictDoNothing().returning();
  if (!saved) throw new RefusedError('name', 'there is a view of this name');
  return saved;
}

/** @throws RefusedError where there is no such view. */
export async function deleteView(db: Database, name: string): Promise<void> {
  const deleted = await db.sql.delete(view).where(eq(view.name, name)).returning({ name: view.name });
  if (deleted.length === 0) throw new RefusedError('name', 'no such view');
}
