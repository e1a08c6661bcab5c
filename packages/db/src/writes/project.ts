import { type Alert, RefusedError } from '@evenkeel/protocol';
import { disabledRules, type RuleSettings } from '@evenkeel/stability';
import { and, eq, inArray, sql } from 'drizzle-orm';
import type { Database, Sql } from '../database.ts';
import { alert, project, run } from '../tables/schema.ts';
import { resolveWhere } from './alert.ts';
import { changeAlerts } from './alert-event.ts';

/** A project's id by its name; it is made where it does not exist. */
export async function projectOf(tx: Sql, name: string, now: Date): Promise<number> {
  await tx.execute(sql`
    insert into ${project} (name, created_at) select ${name}, ${now.toISOString()}::timestamptz
    where not exists (select from ${project} where name = ${name}) on conflict do nothing`);
  const [found] = await tx.select({ id: project.id }).from(project).where(eq(project.name, name));
  if (!found) throw new Error(`the database inserted no project ${name}`);
  return found.id;
}

/**
 * Makes a project that has no runs yet.
 * @throws RefusedError where there is one of the name.
 */
export async function createProject(db: Database, name: string, now: Date): Promise<number> {
  const values = { name, createdAt: now };
  const [created] = await db.sql.insert(project).values(values).onConflictDoNothing().returning({ id: project.id });
  if (!created) throw new RefusedError('name', 'there is a project of this name');
  return created.id;
}

/**
 * Sets the rules of a project. The alerts of those that are switched off resolve; they are returned.
 * @param by who does it; null where unknown.
 * @throws RefusedError where there is no such project.
 */
export async function writeRules(
  db: Database,
  name: string,
  rules: RuleSettings,
  now: Date,
  by: string | null = null,
): Promise<Alert[]> {
  return changeAlerts(db, 'resolved', { at: now, by }, async (tx) => {
    const [found] = await tx.update(project).set({ rules }).where(eq(project.name, name)).returning({ id: project.id });
    if (!found) throw new RefusedError('project', 'no such project');
    const ofProject = tx.select({ id: run.id }).from(run).where(eq(run.projectId, found.id));
    return resolveWhere(tx, and(inArray(alert.run, ofProject), inArray(alert.rule, disabledRules(rules))), now);
  });
}
