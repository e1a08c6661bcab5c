import type { AlertFeedback, AlertOutcome, Severity } from '@evenkeel/protocol';
import { and, count, eq, isNull, sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { alert, project, run } from '../tables/schema.ts';
import { LATE, OUTCOME } from './alert-outcome.ts';

/** Alerts of a project that have all of this in common. */
export interface AlertCount {
  rule: string;
  /** The worst that they became. */
  severity: Severity;
  feedback: AlertFeedback | null;
  outcome: AlertOutcome;
  /** Whether their runs had diverged when they were raised. */
  late: boolean;
  alerts: number;
}

/** How the alerts of a project turned out, without those of archived runs. Reads no steps. */
export async function readAlertRecord(db: Database, name: string): Promise<AlertCount[]> {
  const { rule, severity, feedback } = alert;
  const of = { rule, severity, feedback, outcome: OUTCOME.as('outcome'), late: LATE.as('late') };
  return db.sql
    .select({ ...of, alerts: count() })
    .from(alert)
    .innerJoin(run, eq(run.id, alert.run))
    .innerJoin(project, eq(project.id, run.projectId))
    .where(and(eq(project.name, name), isNull(run.archivedAt)))
    .groupBy(rule, severity, feedback, sql`outcome`, sql`late`);
}
