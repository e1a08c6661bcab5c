import { EVAL_LOSS, type MetricTarget, type ProjectNames, RefusedError } from '@evenkeel/protocol';
import { eq, sql } from 'drizzle-orm';
import { containing, type Database } from '../database.ts';
import { project, run, scalarName } from '../tables/schema.ts';

/** Of a project, the newest: a run may have 10,000 names. */
const RUNS = 50;

/** A name that runs of a project have reported, and in how many of them it became what. */
export interface ReportedName {
  name: string;
  fields: Partial<Record<MetricTarget, number>>;
  /** Runs in which it is a custom scalar of its own. */
  custom: number;
}

/** Which of the names that runs of a project have reported to list. */
export interface ReportedNamesQuery {
  project: string;
  /** Part of a name. */
  search?: string | undefined;
  limit: number;
}

/**
 * What a person has set for the names of a project.
 * @throws RefusedError where there is no such project.
 */
export async function readProjectNames(db: Database, name: string): Promise<ProjectNames> {
  const [found] = await db.sql.select({ names: project.names }).from(project).where(eq(project.name, name));
  if (!found) throw new RefusedError('project', 'no such project');
  return found.names;
}

/**
 * The names that the newest 50 runs of a project have reported: those that became fields first, then by code points.
 * @returns also how many there are, whatever the limit.
 */
export async function findReportedNames(
  db: Database,
  { project: name, search, limit }: ReportedNamesQuery,
): Promise<{ names: ReportedName[]; total: number }> {
  const isFound = search ? sql`reported.name ilike ${containing(search)}` : sql`true`;
  const { rows } = await db.sql.execute<{
    name: string;
    fields: ReportedName['fields'];
    custom: number;
    total: number;
  }>(sql`
    with recent as (
      select ${run.id} as id, ${run.names} as names from ${run} join ${project} on ${project.id} = ${run.projectId}
      where ${project.name} = ${name} order by ${run.startedAt} desc limit ${RUNS}
    ), reported as (
      select names.value as name, names.key as target from recent, jsonb_each_text(recent.names) as names
      union all
      select ${scalarName.name}, null from ${scalarName} join recent on recent.id = ${scalarName.run}
      where ${scalarName.name} <> ${EVAL_LOSS}
    ), counted as (
      select name, target, count(*)::integer as runs from reported where ${isFound} group by name, target
    )
    select name, coalesce(jsonb_object_agg(target, runs) filter (where target is not null), '{}') as fields,
      coalesce(max(runs) filter (where target is null), 0) as custom, (count(*) over ())::integer as total
    from counted group by name order by bool_and(target is null), name collate "C" limit ${limit}`);
  return { names: rows.map(({ total: _, ...row }) => row), total: rows[0]?.total ?? 0 };
}
