import type { Alert, AlertStatus, OpenAlert, Severity } from '@evenkeel/protocol';
import { and, count, desc, eq, getTableColumns, gte, ilike, inArray, isNull, ne, type SQL, sql } from 'drizzle-orm';
import { arrayOf, UUID } from './array-wire.ts';
import { containing, type Database } from './database.ts';
import { alert, project, run } from './schema.ts';

/** Which alerts a list holds; all that is given must be true of each. */
export interface AlertFilter {
  /** Without it, the alerts of runs that are put away are left out. */
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
}

const LISTED = { ...getTableColumns(alert), runName: run.name, project: project.name };

/** Newest first. */
export async function listAlerts(
  db: Database,
  { limit, offset = 0, ...filter }: AlertFilter & { limit: number; offset?: number | undefined },
): Promise<ListedAlert[]> {
  return db.sql
    .select(LISTED)
    .from(alert)
    .innerJoin(run, eq(run.id, alert.run))
    .innerJoin(project, eq(project.id, run.projectId))
    .where(isIn(filter))
    .orderBy(desc(alert.openedAt), desc(alert.id))
    .limit(limit)
    .offset(offset);
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

/** By run, those that are not resolved, the newest first. */
export async function openAlertsOf(db: Database, runs: string[]): Promise<Map<string, OpenAlert[]>> {
  const rows = await db.sql
    .select({ run: alert.run, rule: alert.rule, severity: alert.severity, step: alert.step })
    .from(alert)
    .where(and(sql`${alert.run} = any(${arrayOf(UUID, runs)}::uuid[])`, ne(alert.status, 'resolved')))
    .orderBy(desc(alert.openedAt), desc(alert.id));
  const alerts = new Map<string, OpenAlert[]>(runs.map((id) => [id, []]));
  for (const { run: id, ...open } of rows) alerts.get(id)?.push(open);
  return alerts;
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
