import { mergeConfig, RefusedError, type RunDescribe, type RunStart } from '@evenkeel/protocol';
import { eq, max } from 'drizzle-orm';
import type { Database, Sql } from '../database.ts';
import { attempt, run } from '../tables/schema.ts';

type Edited = Pick<typeof run.$inferSelect, 'notes' | 'notesEditedAt' | 'tags' | 'tagsEditedAt'>;

/** What an attempt's start says of its run; what a person wrote there stays as it is. */
export function descriptionOf({ name, config, owner, tags, notes, layers }: RunStart, known?: Edited) {
  return {
    ...{ name, config, owner, layers },
    notes: known?.notesEditedAt ? known.notes : notes,
    tags: known?.tagsEditedAt ? known.tags : tags,
  };
}

interface Description {
  run: string;
  /** What is left out stays as it is. */
  notes?: string | undefined;
  tags?: readonly string[] | undefined;
  /** Who writes it; null where unknown. */
  by: string | null;
}

/**
 * Writes a person's notes and tags in place of the trainer's, for good: its next attempts change neither.
 * @throws RefusedError where there is no such run.
 */
export async function describeRun(db: Database, { run: id, notes, tags, by }: Description, now: Date): Promise<void> {
  const changed = await db.sql
    .update(run)
    .set({
      ...(notes !== undefined && { notes, notesEditedAt: now }),
      ...(tags !== undefined && { tags: [...tags], tagsEditedAt: now }),
      editedBy: by,
    })
    .where(eq(run.id, id))
    .returning({ id: run.id });
  if (changed.length === 0) throw new RefusedError('run', 'no such run');
}

/**
 * Adds what a trainer says of its run while it is under way. What a person wrote stays as it is.
 * @returns whether the run is another now: what an attempt says that is not the newest changes nothing.
 * @throws RefusedError where there is no such run or attempt, or the configuration would become too long.
 */
export async function describeUnderWay(db: Database, described: RunDescribe): Promise<boolean> {
  return db.sql.transaction(async (tx) => {
    const isRun = eq(run.id, described.run);
    const [known] = await tx.select().from(run).where(isRun).for('update');
    if (!known) throw new RefusedError('run', 'no such run');
    if (!(await isOfNewest(tx, described))) return false;
    const { name, config, tags, notes } = described;
    const changes = {
      ...(name !== undefined && { name }),
      ...(config !== undefined && { config: mergeConfig(known.config, config) }),
      ...(tags !== undefined && !known.tagsEditedAt && { tags }),
      ...(notes !== undefined && !known.notesEditedAt && { notes }),
    };
    if (Object.keys(changes).length === 0) return false;
    await tx.update(run).set(changes).where(isRun);
    return true;
  });
}

async function isOfNewest(tx: Sql, { run: id, attempt: number }: RunDescribe): Promise<boolean> {
  if (number === undefined) return true;
  const [found] = await tx
    .select({ newest: max(attempt.number) })
    .from(attempt)
    .where(eq(attempt.run, id));
  const newest = found?.newest;
  if (newest == null || number > newest) throw new RefusedError('attempt', 'the run has no such attempt');
  return number === newest;
}
