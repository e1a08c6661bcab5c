import type { Alert, AlertOutcome, AlertStatus, OpenAlert, Severity } from '@evenkeel/protocol';
import { and, count, desc, eq, getTableColumns, gte, ilike, inArray, isNull, ne, type SQL, sql } from 'drizzle-orm';
import { containing, type Database } from '../database.ts';
import { arrayOf, UUID } from '../drivers/array-wire.ts';
import { alert, attempt, project, run } from '../tables/schema.ts';
import { LATE, ONSET, OUTCOME } from './alert-outcome.ts';
import { isOlder, newestFirst, pageOf, type TimePage } from './time-cursor.ts';

/** Which alerts a list holds; all that is given must be true of each. */
export interface AlertFilter {
  /** Without it, the alerts of archived runs are left out. */
  run?: string | undefined;
  status?: readonly AlertStatus[] | undefined;
  rule?: readonly string[] | undefined;
  severity?: Severity | undefined;
  project?: string | undefined;
  /** Part of the run's name. */
  search?: string | undefined;
  openedFrom?: Date | undefined;
}

/** An alert, and whose it is. */
export interface ListedAlert extends Alert {
  runName: string;
  project: string;
  outcome: AlertOutcome;
  /** Where the run diverged, in the attempt of the alert or the first later one that did; null where none has. */
  onset: number | null;
  /** Whether the run had diverged when it was raised: at the step of the onset, or behind it. */
  late: boolean;
}

const LISTED = {
  ...getTableColumns(alert),
  runName: run.name,
  project: project.name,
  outcome: OUTCOME,
  onset: ONSET.mapWith(attempt.onset),
  late: LATE,
};

const ORDER = { time: alert.openedAt, id: alert.id, type: 'uuid' } as const;

export interface AlertListQuery extends AlertFilter {
  limit: number;
  /** Behind which alert the list goes on: `nextCursor` of the page before, read with the same filter. */
  cursor?: string | undefined;
  offset?: number | undefined;
}

/** Newest first. */
export async function listAlerts(
  db: Database,
  { limit, cursor, offset = 0, ...filter }: AlertListQuery,
): Promise<ListedAlert[]> {
  return db.sql
    .select(LISTED)
    .from(alert)
    .innerJoin(run, eq(run.id, alert.run))
    .innerJoin(project, eq(project.id, run.projectId))
    .where(and(isIn(filter), cursor === undefined ? undefined : isOlder(cursor, ORDER)))
    .orderBy(...newestFirst(ORDER))
    .limit(limit)
    .offset(offset);
}

/**
 * A page of {@link listAlerts}.
 * @throws RefusedError where the cursor is not of such a list.
 */
export async function pageAlerts(db: Database, query: AlertListQuery): Promise<TimePage<ListedAlert>> {
  return pageOf(await listAlerts(db, { ...query, limit: query.limit + 1 }), query.limit, ({ openedAt }) => openedAt);
}

/** How many alerts of each status there are; `status` itself does not narrow them. */
export async function countAlerts(
  db: Database,
  filter: Omit<AlertFilter, 'status'>,
): Promise<Record<AlertStatus, number>> {
  const rows = await db.sql
    .select({ status: alert.status, alerts: count() })
    .from(alert)
    .innerJoin(run, eq(run.id, alert.run))
    .innerJoin(project, eq(project.id, run.projectId))
    .where(isIn(filter))
    .groupBy(alert.status);
  const counts = { open: 0, acknowledged: 0, resolved: 0 };
  for (const { status, alerts } of rows) counts[status] = alerts;
  return counts;
}

/** Null where there is no such alert. */
export async function getAlert(db: Database, key: Pick<Alert, 'run' | 'id'>): Promise<ListedAlert | null> {
  const [found] = await db.sql
    .select(LISTED)
    .from(alert)
    .innerJoin(run, eq(run.id, alert.run))
    .innerJoin(project, eq(project.id, run.projectId))
    .where(and(eq(alert.run, key.run), eq(alert.id, key.id)));
  return found ?? null;
}

/** @returns the alerts of each of these runs that are not resolved, the newest first. */
export async function openAlertsOf(db: Database, runs: string[]): Promise<(run: string) => OpenAlert[]> {
  const rows = await db.sql
    .select({ run: alert.run, rule: alert.rule, severity: alert.severity, step: alert.step })
    .from(alert)
    .where(and(sql`${alert.run} = any(${arrayOf(UUID, runs)}::uuid[])`, ne(alert.status, 'resolved')))
    .orderBy(desc(alert.openedAt), desc(alert.id));
  const alerts = new Map<string, OpenAlert[]>(runs.map((id) => [id, []]));
  const alertsOf = (id: string) => {
    const known = alerts.get(id);
    if (!known) throw new Error(`the alerts of run ${id} were not read`);
    return known;
  };
  for (const { run: id, ...open } of rows) alertsOf(id).push(open);
  return alertsOf;
}

function isIn(filter: AlertFilter): SQL | undefined {
  return and(
    filter.run === undefined ? isNull(run.archivedAt) : eq(alert.run, filter.run),
    filter.status && inArray(alert.status, [...filter.status]),
    filter.rule && inArray(alert.rule, [...filter.rule]),
    filter.severity && eq(alert.severity, filter.severity),
    filter.project === undefined ? undefined : eq(project.name, filter.project),
    filter.search ? ilike(run.name, containing(filter.search)) : undefined,
    filter.openedFrom && gte(alert.openedAt, filter.openedFrom),
  );
}
