import type { RunStatus } from '@evenkeel/protocol';
import { and, asc, eq } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { run, runSource } from '../tables/schema.ts';

/** How a run is known to the client of another tracker that sends it. */
export type RunSource = typeof runSource.$inferSelect;

/** The run that a client calls so; null where there is none. */
export async function findRunSource(db: Database, door: string, externalId: string): Promise<RunSource | null> {
  const isIt = and(eq(runSource.door, door), eq(runSource.externalId, externalId));
  const [found] = await db.sql.select().from(runSource).where(isIt);
  return found ?? null;
}

/** Null where the run came in another way, or there is none. */
export async function getRunSource(db: Database, id: string): Promise<RunSource | null> {
  const [found] = await db.sql.select().from(runSource).where(eq(runSource.run, id));
  return found ?? null;
}

/** As much of a run as a link to it shows. */
export interface RunLink {
  id: string;
  name: string;
  status: RunStatus;
}

/** Parts that a page lists: the first, by when they began. */
const LISTED_PARTS = 100;

/** The run that a run is a part of, and its own parts in the order of their start, the first hundred. */
export async function readFamily(db: Database, id: string): Promise<{ parent: RunLink | null; parts: RunLink[] }> {
  const link = { id: run.id, name: run.name, status: run.status };
  const [parent] = await db.sql
    .select(link)
    .from(runSource)
    .innerJoin(run, eq(run.id, runSource.parent))
    .where(eq(runSource.run, id));
  const parts = await db.sql
    .select(link)
    .from(runSource)
    .innerJoin(run, eq(run.id, runSource.run))
    .where(eq(runSource.parent, id))
    .orderBy(asc(run.startedAt), asc(run.id))
    .limit(LISTED_PARTS);
  return { parent: parent ?? null, parts };
}
