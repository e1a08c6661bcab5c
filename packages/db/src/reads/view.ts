import { asc } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { view } from '../tables/schema.ts';

export type View = typeof view.$inferSelect;

/** By name. */
export async function listViews(db: Database): Promise<View[]> {
  return db.sql.select().from(view).orderBy(asc(view.name));
}
