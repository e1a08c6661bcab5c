import { RefusedError } from '@evenkeel/protocol';
import { knownSettings, type RuleSettings } from '@evenkeel/stability';
import { and, asc, eq, gt, isNull, type SQL, sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { project, run } from '../tables/schema.ts';

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
 * The rule settings of a project, of those that this version has.
 * @throws RefusedError where there is no such project.
 */
export async function readRules(db: Database, name: string): Promise<RuleSettings> {
  const [found] = await db.sql.select({ rules: project.rules }).from(project).where(eq(project.name, name));
  if (!found) throw new RefusedError('project', 'no such project');
  return knownSettings(found.rules);
}

/** The project of a run, and its rule settings; null where there is no such run. */
export async function rulesOfRun(db: Database, id: string): Promise<{ project: string; rules: RuleSettings } | null> {
  const [found] = await db.sql
    .select({ project: project.name, rules: project.rules })
    .from(run)
    .innerJoin(project, eq(project.id, run.projectId))
    .where(eq(run.id, id));
  return found ? { project: found.project, rules: knownSettings(found.rules) } : null;
}

/** A project by its number, as clients of other trackers know it. */
export interface NumberedProject {
  id: number;
  name: string;
  createdAt: Date;
}

const NUMBERED = { id: project.id, name: project.name, createdAt: project.createdAt };

/** Null where there is none. */
export async function findProject(
  db: Database,
  by: { id: number } | { name: string },
): Promise<NumberedProject | null> {
  const isIt = 'id' in by ? eq(project.id, by.id) : eq(project.name, by.name);
  const [found] = await db.sql.select(NUMBERED).from(project).where(isIt);
  return found ?? null;
}

/**
 * Projects in the order of their numbers.
 * @param query `key` is the ingest key that one of its runs belongs to, null for runs that belong to none.
 */
export async function numberedProjects(
  db: Database,
  { after, key, limit }: { after: number; key?: string | null | undefined; limit: number },
): Promise<NumberedProject[]> {
  return db.sql
    .select(NUMBERED)
    .from(project)
    .where(and(gt(project.id, after), hasRunOf(key)))
    .orderBy(asc(project.id))
    .limit(limit);
}

function hasRunOf(key: string | null | undefined): SQL | undefined {
  if (key === undefined) return undefined;
  const isOfKey = key === null ? isNull(run.keyId) : eq(run.keyId, key);
  return sql`exists (select from ${run} where ${run.projectId} = ${project.id} and ${isOfKey})`;
}
