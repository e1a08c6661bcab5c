import { type Alert, RefusedError } from '@evenkeel/protocol';
import { disabledRules, type RuleSettings } from '@evenkeel/stability';
import { and, asc, eq, inArray, sql } from 'drizzle-orm';
import { resolveWhere } from './alert.ts';
import { changeAlerts } from './alert-event.ts';
import type { Database, Sql } from './database.ts';
import { alert, project, run } from './schema.ts';

/** A project's id by its name; it is made where it does not exist. */
export async function projectOf(tx: Sql, name: string, now: Date): Promise<number> {
  await tx.execute(sql`
    insert into ${project} (name, created_at) select ${name}, ${now.toISOString()}::timestamptz
    where not exists (select from ${project} where name = ${name}) on conflict do nothing`);
  const [found] = await tx.select({ id: project.id }).from(project).where(eq(project.name, name));
  if (!found) throw new Error(`the database inserted no project ${name}`);
  return found.id;
}

const LISTED_PROJECTS = 1_000;

/** By name; the first thousand. */
export async function listProjects(db: Database): Promise<string[]> {
  const rows = await db.sql
    .select({ name: project.name })
    .from(project)
    .orderBy(asc(project.name))
    .limit(LISTED_PROJECTS);
  return rows.map(({ name }) => name);
}

/**
 * What the rules are told for the runs of a project.
 * @throws RefusedError where there is no such project.
 */
export async function readRules(db: Database, name: string): Promise<RuleSettings> {
  const [found] = await db.sql.select({ rules: project.rules }).from(project).where(eq(project.name, name));
  if (!found) throw new RefusedError('project', 'no such project');
  return found.rules;
}

/** The project of a run, and what its rules are told; null where there is no such run. */
export async function rulesOfRun(db: Database, id: string): Promise<{ project: string; rules: RuleSettings } | null> {
  const [found] = await db.sql
    .select({ project: project.name, rules: project.rules })
    .from(run)
    .innerJoin(project, eq(project.id, run.projectId))
    .where(eq(run.id, id));
  return found ?? null;
}

/**
 * Sets the rules of a project. The alerts of those that are switched off resolve; they are returned.
 * @param by who does it; null where that is not told.
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
