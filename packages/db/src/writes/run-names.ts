import { claimNames, type ProjectNames, RefusedError, type RunNames } from '@evenkeel/protocol';
import { eq } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { project, run } from '../tables/schema.ts';

/**
 * Decides which of the names that a run reports stand for fields of its steps, for good: see `claimNames`.
 * @returns all that do.
 * @throws RefusedError where there is no such run.
 */
export async function claimRunNames(db: Database, id: string, names: readonly string[]): Promise<RunNames> {
  return db.sql.transaction(async (tx) => {
    const [known] = await tx
      .select({ names: run.names, projectId: run.projectId })
      .from(run)
      .where(eq(run.id, id))
      .for('update');
    if (!known) throw new RefusedError('run', 'no such run');
    const [ofProject] = await tx.select({ names: project.names }).from(project).where(eq(project.id, known.projectId));
    if (!ofProject) throw new Error(`run ${id} has no project`);
    const claimed = claimNames(known.names, names, ofProject.names);
    if (claimed) await tx.update(run).set({ names: claimed }).where(eq(run.id, id));
    return claimed ?? known.names;
  });
}

/**
 * Sets what names stand for in the runs of a project, in place of what is guessed. What a run has decided stays.
 * @throws RefusedError where there is no such project.
 */
export async function writeProjectNames(db: Database, name: string, names: ProjectNames): Promise<void> {
  const changed = await db.sql
    .update(project)
    .set({ names })
    .where(eq(project.name, name))
    .returning({ id: project.id });
  if (changed.length === 0) throw new RefusedError('project', 'no such project');
}
