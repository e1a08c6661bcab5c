import { RefusedError, type RunStart } from '@evenkeel/protocol';
import { eq } from 'drizzle-orm';
import type { Database } from './database.ts';
import { run } from './schema.ts';

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
  /** Who writes it; null where that is not told. */
  by: string | null;
}

/**
 * Writes a person's notes and tags in place of what the trainer told, for good: its next attempts change neither.
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
