import { randomUUID } from 'node:crypto';
import { type Alert, type AlertStatus, RefusedError, type Rule } from '@evenkeel/protocol';
import { and, desc, eq, inArray, lt, ne, notInArray, or } from 'drizzle-orm';
import { type CommandRow, react } from './command.ts';
import type { Database, Sql } from './database.ts';
import { alert, run as runTable } from './schema.ts';

/** What a rule found in a run. */
export type Finding = Pick<
  Alert,
  'rule' | 'severity' | 'attempt' | 'step' | 'message' | 'evidence' | 'window' | 'risk' | 'divergenceStep'
>;

type AlertKey = Pick<Alert, 'run' | 'id'>;

/** An alert that is new or has become worse, and the command with which the policy of its attempt answers. */
interface Raised {
  alert: Alert;
  command: CommandRow | null;
}

/**
 * Opens an alert, or makes the unresolved one of the same rule critical, and gives the command that the policy of the
 * attempt asks for, both or neither.
 * @returns null where nothing is new.
 */
export async function raiseAlert(db: Database, run: string, finding: Finding, now: Date): Promise<Raised | null> {
  return db.sql.transaction(async (tx) => {
    await tx.select({ id: runTable.id }).from(runTable).where(eq(runTable.id, run)).for('update'); // in the order of all
    const raised = (await openAlert(tx, run, finding, now)) ?? (await escalate(tx, run, finding));
    return raised && { alert: raised, command: await react(tx, raised, now) };
  });
}

async function openAlert(tx: Sql, run: string, finding: Finding, now: Date): Promise<Alert | undefined> {
  const opened = { ...finding, id: randomUUID(), run, status: 'open', openedAt: now } as const;
  const [inserted] = await tx.insert(alert).values(opened).onConflictDoNothing().returning();
  return inserted;
}

/** The alert keeps its step and status: it says when the trouble was first seen, and by whom it was noted. */
async function escalate(
  tx: Sql,
  run: string,
  { rule, severity, step: _step, ...seen }: Finding,
): Promise<Alert | null> {
  if (severity !== 'critical') return null;
  const [escalated] = await tx
    .update(alert)
    .set({ severity, ...seen })
    .where(and(eq(alert.run, run), eq(alert.rule, rule), ne(alert.status, 'resolved'), ne(alert.severity, severity)))
    .returning();
  return escalated ?? null;
}

/** Does nothing to an alert that is acknowledged or resolved already. */
export async function acknowledgeAlert(db: Database, key: AlertKey, now: Date): Promise<Alert> {
  const [acknowledged] = await db.sql
    .update(alert)
    .set({ status: 'acknowledged', acknowledgedAt: now })
    .where(and(isAlert(key), eq(alert.status, 'open')))
    .returning();
  return acknowledged ?? findAlert(db, key);
}

/** Does nothing to an alert that is resolved already. */
export async function resolveAlert(db: Database, key: AlertKey, now: Date): Promise<Alert> {
  const [resolved] = await db.sql
    .update(alert)
    .set({ status: 'resolved', resolvedAt: now })
    .where(and(isAlert(key), ne(alert.status, 'resolved')))
    .returning();
  return resolved ?? findAlert(db, key);
}

/** Resolves the alert that a rule opened at a step; null where there is none, or it is resolved already. */
export async function resolveRule(
  db: Database,
  { run, rule, step }: Pick<Alert, 'run' | 'rule' | 'step'>,
  now: Date,
): Promise<Alert | null> {
  const isOpen = and(eq(alert.run, run), eq(alert.rule, rule), eq(alert.step, step), ne(alert.status, 'resolved'));
  const [resolved] = await db.sql.update(alert).set({ status: 'resolved', resolvedAt: now }).where(isOpen).returning();
  return resolved ?? null;
}

/**
 * Resolves what nobody watches any more: the alerts of a run's former attempts, and of its newest those of all rules but
 * the ones that are open.
 */
export async function resolveLeftOvers(
  db: Database,
  { run, attempt, open }: { run: string; attempt: number; open: readonly Rule[] },
  now: Date,
): Promise<Alert[]> {
  const isLeft = or(lt(alert.attempt, attempt), notInArray(alert.rule, [...open]));
  return db.sql
    .update(alert)
    .set({ status: 'resolved', resolvedAt: now })
    .where(and(eq(alert.run, run), ne(alert.status, 'resolved'), isLeft))
    .returning();
}

/** Newest first. */
export async function listAlerts(
  db: Database,
  { run, status, limit }: { run?: string; status?: AlertStatus[]; limit: number },
): Promise<Alert[]> {
  return db.sql
    .select()
    .from(alert)
    .where(and(run ? eq(alert.run, run) : undefined, status ? inArray(alert.status, status) : undefined))
    .orderBy(desc(alert.openedAt), desc(alert.id))
    .limit(limit);
}

async function findAlert(db: Database, key: AlertKey): Promise<Alert> {
  const [found] = await db.sql.select().from(alert).where(isAlert(key));
  if (!found) throw new RefusedError('id', 'no such alert');
  return found;
}

function isAlert({ run, id }: AlertKey) {
  return and(eq(alert.run, run), eq(alert.id, id));
}
