import type { RunStatus } from '@evenkeel/protocol';
import { and, count, desc, eq, gte, ilike, inArray, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm';
import { openAlertsOf } from './alert-list.ts';
import { containing, type Database } from './database.ts';
import { type RunSummary, SUMMARY } from './run.ts';
import { alert, project, run } from './schema.ts';

/** Which runs a list holds; all that is given must be true of each. */
export interface RunFilter {
  ids?: readonly string[] | undefined;
  project?: string | undefined;
  status?: readonly RunStatus[] | undefined;
  tag?: string | undefined;
  /** Part of a name, project, owner or tag. */
  search?: string | undefined;
  /** Values of the configuration, as text, by the keys that lead to each: `{ path: ['model', 'layers'], value: '4' }`. */
  config?: readonly { path: readonly string[]; value: string }[] | undefined;
  /** The least risk of divergence. */
  risk?: number | undefined;
  startedFrom?: Date | undefined;
  startedBefore?: Date | undefined;
  /** Those that are put away, and no others. */
  archived?: boolean | undefined;
}

/** 2 where the run's worst unresolved alert is critical, 1 where it is a warning, null where there is none. */
const WORST_ALERT = sql`(select max(case ${alert.severity} when 'critical' then 2 else 1 end) from ${alert}
  where ${alert.run} = ${run.id} and ${alert.status} <> 'resolved')`;

const SORT_KEYS = {
  started: run.startedAt,
  ended: run.endedAt,
  name: run.name,
  project: project.name,
  status: run.status,
  owner: run.owner,
  step: run.lastStep,
  loss: run.loss,
  tev: run.tevMean,
  risk: run.risk,
  alerts: WORST_ALERT,
};
export const RUN_SORT_KEYS = Object.keys(SORT_KEYS) as [RunSortKey, ...RunSortKey[]];
export type RunSortKey = keyof typeof SORT_KEYS;

export interface RunListQuery extends RunFilter {
  limit: number;
  offset?: number | undefined;
  /** Keys that lead to a value of the configuration: runs that have the same stand together, as {@link countGroups} has it. */
  group?: readonly string[] | undefined;
  /** What is unknown of a run comes last; runs that are equal are in the order of their start, the newest first. */
  sort?: { by: RunSortKey; descending: boolean } | undefined;
}

/** The newest first, unless it is sorted otherwise. */
export async function listRuns(
  db: Database,
  { limit, offset = 0, group, sort, ...filter }: RunListQuery,
): Promise<RunSummary[]> {
  const runs = await db.sql
    .select(SUMMARY)
    .from(run)
    .innerJoin(project, eq(project.id, run.projectId))
    .where(isIn(filter))
    .orderBy(...(group ? [inGroups(group)] : []), ...(sort ? [inOrder(sort)] : []), desc(run.startedAt), desc(run.id))
    .limit(limit)
    .offset(offset);
  const alerts = await openAlertsOf(
    db,
    runs.map(({ id }) => id),
  );
  return runs.map((found) => ({ ...found, openAlerts: alerts.get(found.id) ?? [] }));
}

/** How many runs there are of a kind. */
export async function countRuns(db: Database, filter: RunFilter): Promise<number> {
  const [found] = await db.sql
    .select({ runs: count() })
    .from(run)
    .innerJoin(project, eq(project.id, run.projectId))
    .where(isIn(filter));
  return found?.runs ?? 0;
}

export interface RunGroup {
  /** What the runs have in common, as text; null where they have no such value. */
  value: string | null;
  runs: number;
}

/** How many runs there are of each value that the configuration has at the end of the keys, in the order of a list. */
export async function countGroups(
  db: Database,
  { group, ...filter }: RunFilter & { group: readonly string[] },
): Promise<RunGroup[]> {
  const grouped = db.sql
    .select({ value: configValueAt(group).as('value') })
    .from(run)
    .innerJoin(project, eq(project.id, run.projectId))
    .where(isIn(filter))
    .as('grouped');
  return db.sql
    .select({ value: sql<string | null>`left(${grouped.value} #>> '{}', 200)`, runs: count() })
    .from(grouped)
    .groupBy(grouped.value)
    .orderBy(sql`${grouped.value} asc nulls last`);
}

/** As JSON is ordered: numbers by size before texts by letter; what is absent comes last. */
function inGroups(path: readonly string[]): SQL {
  return sql`${configValueAt(path)} asc nulls last`;
}

/** NaN is unknown, too: PostgreSQL takes it for the greatest number. */
function inOrder({ by, descending }: { by: RunSortKey; descending: boolean }): SQL {
  const column = SORT_KEYS[by];
  const value = by === 'loss' || by === 'tev' ? sql`nullif(${column}, 'NaN'::float8)` : sql`${column}`;
  return descending ? sql`${value} desc nulls last` : sql`${value} asc nulls last`;
}

function isIn({ archived = false, ...filter }: RunFilter): SQL | undefined {
  return and(
    archived ? isNotNull(run.archivedAt) : filter.ids ? undefined : isNull(run.archivedAt),
    filter.ids && inArray(run.id, [...filter.ids]),
    filter.project === undefined ? undefined : eq(project.name, filter.project),
    filter.status && inArray(run.status, [...filter.status]),
    filter.tag === undefined ? undefined : sql`${filter.tag} = any(${run.tags})`,
    filter.search ? mentions(filter.search) : undefined,
    filter.risk === undefined ? undefined : gte(run.risk, filter.risk),
    filter.startedFrom && gte(run.startedAt, filter.startedFrom),
    filter.startedBefore && lt(run.startedAt, filter.startedBefore),
    ...(filter.config ?? []).map(({ path, value }) => sql`${configAt(path)} = ${value}`),
  );
}

function configAt(path: readonly string[]): SQL {
  return sql`jsonb_extract_path_text(${run.config}, ${keysOf(path)})`;
}

/** A null in the configuration says as little as an absent key. */
function configValueAt(path: readonly string[]): SQL {
  return sql`nullif(jsonb_extract_path(${run.config}, ${keysOf(path)}), 'null'::jsonb)`;
}

function keysOf(path: readonly string[]): SQL {
  return sql.join(
    path.map((key) => sql`${key}::text`),
    sql`, `,
  );
}

function mentions(search: string): SQL | undefined {
  const pattern = containing(search);
  const tag = sql`exists (select from unnest(${run.tags}) as tag where tag ilike ${pattern})`;
  return or(ilike(run.name, pattern), ilike(project.name, pattern), ilike(run.owner, pattern), tag);
}

/** All tags that runs have, in the order of the alphabet; the first thousand. */
export async function listTags(db: Database): Promise<string[]> {
  const { rows } = await db.sql.execute<{ tag: string }>(
    sql`select distinct tag from ${run}, unnest(${run.tags}) as tag order by tag limit 1000`,
  );
  return rows.map(({ tag }) => tag);
}
