import type { RunStatus } from '@evenkeel/protocol';
import { and, count, eq, gte, ilike, inArray, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm';
import { containing, type Database, onlyRow } from '../database.ts';
import { alert, project, run } from '../tables/schema.ts';
import { openAlertsOf } from './alert-list.ts';
import { type RunSummary, SUMMARY } from './run.ts';
import { encodeCursor, isBehind, type OrderKey, orderBy, placeIn } from './run-cursor.ts';

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
  /** The minimum risk of divergence. */
  risk?: number | undefined;
  startedFrom?: Date | undefined;
  startedBefore?: Date | undefined;
  /** Archived runs, and no others. */
  archived?: boolean | undefined;
}

/** 2 where the run's worst unresolved alert is critical, 1 where it is a warning, null where there is none. */
const WORST_ALERT = sql`(select max(case ${alert.severity} when 'critical' then 2 else 1 end) from ${alert}
  where ${alert.run} = ${run.id} and ${alert.status} <> 'resolved')`;

const SORT_KEYS = {
  started: { value: sql`${run.startedAt}`, type: 'timestamptz' },
  ended: { value: sql`${run.endedAt}`, type: 'timestamptz' },
  name: { value: sql`${run.name}`, type: 'text' },
  project: { value: sql`${project.name}`, type: 'text' },
  status: { value: sql`${run.status}`, type: 'text' },
  owner: { value: sql`${run.owner}`, type: 'text' },
  step: { value: sql`${run.lastStep}`, type: 'int8' },
  // NaN is unknown, too: PostgreSQL takes it for the greatest number.
  loss: { value: sql`nullif(${run.loss}, 'NaN'::float8)`, type: 'float8' },
  tev: { value: sql`nullif(${run.tevMean}, 'NaN'::float8)`, type: 'float8' },
  risk: { value: sql`${run.risk}`, type: 'float8' },
  alerts: { value: WORST_ALERT, type: 'int8' },
} as const satisfies Record<string, Pick<OrderKey, 'value' | 'type'>>;
export const RUN_SORT_KEYS = Object.keys(SORT_KEYS) as [RunSortKey, ...RunSortKey[]];
export type RunSortKey = keyof typeof SORT_KEYS;

export interface RunListQuery extends RunFilter {
  limit: number;
  /** Behind which run the list goes on: `nextCursor` of the page before, read with the same filter, group and sort. */
  cursor?: string | undefined;
  /** How many runs are left out first, for who shows a part of a list by its numbers. */
  offset?: number | undefined;
  /** Keys that lead to a value of the configuration: runs that have the same stand together, as {@link countGroups} has it. */
  group?: readonly string[] | undefined;
  /** What is unknown of a run comes last; runs that are equal are in the order of their start, the newest first. */
  sort?: { by: RunSortKey; descending: boolean } | undefined;
  /** Whether the configuration of each run is read too. */
  withConfig?: boolean | undefined;
}

/** A run of a list, with its configuration as JSON where that was asked for. */
interface ListedRun extends RunSummary {
  config?: string;
}

export interface RunPage {
  runs: ListedRun[];
  /** Where the list goes on; null behind its last run. */
  nextCursor: string | null;
}

const CONFIG = sql<string | null>`${run.config}::text`;
const NO_CONFIG = sql<string | null>`null`;

/**
 * A page of a list: the newest runs first, unless it is sorted otherwise. Read by cursor, page after page holds each run
 * once, however many are added meanwhile.
 * @throws RefusedError where the cursor is not of such a list.
 */
export async function pageRuns(
  db: Database,
  { limit, cursor, offset = 0, group, sort, withConfig = false, ...filter }: RunListQuery,
): Promise<RunPage> {
  const order = orderOf(group, sort);
  const rows = await db.sql
    .select({ ...SUMMARY, config: withConfig ? CONFIG : NO_CONFIG, place: placeIn(order) })
    .from(run)
    .innerJoin(project, eq(project.id, run.projectId))
    .where(and(isIn(filter), cursor === undefined ? undefined : isBehind(cursor, order)))
    .orderBy(...orderBy(order))
    .limit(limit + 1) // one more shows whether there is a next page
    .offset(offset);
  const found = rows.slice(0, limit);
  const alertsOf = await openAlertsOf(
    db,
    found.map(({ id }) => id),
  );
  const last = rows.length > limit ? found.at(-1) : undefined;
  return {
    runs: found.map(({ place: _, config, ...summary }) => {
      return { ...summary, ...(config !== null && { config }), openAlerts: alertsOf(summary.id) };
    }),
    nextCursor: last ? encodeCursor(last.place) : null,
  };
}

/** The runs of {@link pageRuns} alone. */
export async function listRuns(db: Database, query: RunListQuery): Promise<RunSummary[]> {
  return (await pageRuns(db, query)).runs;
}

/** Groups are ordered as JSON is: numbers by size before texts by letter; what is absent comes last. */
function orderOf(group: RunListQuery['group'], sort: RunListQuery['sort']): OrderKey[] {
  const order: OrderKey[] = [];
  if (group) order.push({ value: configValueAt(group), type: 'jsonb', descending: false });
  if (sort) order.push({ ...SORT_KEYS[sort.by], descending: sort.descending });
  return order;
}

/** How many runs there are of a kind. */
export async function countRuns(db: Database, filter: RunFilter): Promise<number> {
  const rows = await db.sql
    .select({ runs: count() })
    .from(run)
    .innerJoin(project, eq(project.id, run.projectId))
    .where(isIn(filter));
  return onlyRow(rows).runs;
}

/** Values that groups are counted of, one by one. */
const MAX_GROUPS = 1_000;

export interface RunGroup {
  /** What the runs have in common, as text; null where they have no such value. */
  value: string | null;
  runs: number;
  /** The last group may hold the runs of all further values, where there are more than a thousand. */
  isRest?: true;
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
  const rows = await db.sql
    .select({
      value: sql<string | null>`left(${textOf(sql`${grouped.value}`)}, 200)`,
      runs: count(),
      all: sql`sum(count(*)) over ()`.mapWith(Number),
    })
    .from(grouped)
    .groupBy(grouped.value)
    .orderBy(sql`${grouped.value} asc nulls last`)
    .limit(MAX_GROUPS + 1);
  const groups: RunGroup[] = rows.map(({ value, runs }) => ({ value, runs }));
  if (groups.length <= MAX_GROUPS) return groups;
  const first = groups.slice(0, MAX_GROUPS);
  const counted = first.reduce((sum, { runs }) => sum + runs, 0);
  return [...first, { value: null, runs: (rows[0]?.all ?? counted) - counted, isRest: true }];
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
  return textOf(sql`jsonb_extract_path(${run.config}, ${keysOf(path)})`);
}

/** As people read it: a number that JSON cannot carry is an object of one key, see the protocol's `numberOf`. */
function textOf(value: SQL): SQL<string | null> {
  return sql`coalesce(${value} ->> '$number', ${value} #>> '{}')`;
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
