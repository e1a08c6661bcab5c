import { randomUUID } from 'node:crypto';
import { type Alert, type AlertChange, type AlertFeedback, RefusedError } from '@evenkeel/protocol';
import { and, eq, lt, ne, notInArray, or, type SQL, sql } from 'drizzle-orm';
import type { Database, Sql } from '../database.ts';
import { arrayOf, UUID } from '../drivers/array-wire.ts';
import type { CommandRow } from '../reads/command.ts';
import { alert, run as runTable } from '../tables/schema.ts';
import { changeAlerts, recordChange } from './alert-event.ts';
import { react } from './command.ts';

/** What a rule found in a run. */
export type NewAlert = Pick<
  Alert,
  'rule' | 'severity' | 'attempt' | 'step' | 'message' | 'evidence' | 'window' | 'risk' | 'divergenceStep'
>;

type AlertKey = Pick<Alert, 'run' | 'id'>;

/** An alert that is new or has become worse, and the command with which the policy of its attempt answers. */
interface Raised {
  alert: Alert;
  change: Extract<AlertChange, 'opened' | 'escalated'>;
  command: CommandRow | null;
}

/**
 * Opens an alert, or makes the unresolved one of the same rule critical, and gives the command that the policy of the
 * attempt asks for, both or neither.
 * @param isPast whether it is about steps that the training has long passed: no command answers it.
 * @returns null where nothing is new.
 */
export async function raiseAlert(
  db: Database,
  run: string,
  seen: NewAlert,
  now: Date,
  { isPast = false }: { isPast?: boolean } = {},
): Promise<Raised | null> {
  return db.sql.transaction(async (tx) => {
    await tx.select({ id: runTable.id }).from(runTable).where(eq(runTable.id, run)).for('update'); // in the order of all
    const opened = await openAlert(tx, run, seen, now);
    const raised = opened ?? (await escalate(tx, run, seen));
    if (!raised) return null;
    const change = opened ? 'opened' : 'escalated';
    await recordChange(tx, change, { at: now, by: null }, [raised]);
    return { alert: raised, change, command: isPast ? null : await react(tx, raised, now) };
  });
}

async function openAlert(tx: Sql, run: string, seen: NewAlert, now: Date): Promise<Alert | undefined> {
  const opened = { ...seen, id: randomUUID(), run, status: 'open', openedAt: now } as const;
  const [inserted] = await tx.insert(alert).values(opened).onConflictDoNothing().returning();
  return inserted;
}

/** The alert keeps its step and status: it says when the trouble was first seen, and who acknowledged it. */
async function escalate(
  tx: Sql,
  run: string,
  { rule, severity, step: _step, ...seen }: NewAlert,
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
export async function acknowledgeAlert(
  db: Database,
  key: AlertKey,
  now: Date,
  by: string | null = null,
): Promise<Alert> {
  const [acknowledged] = await acknowledgeAlerts(db, [key], now, by);
  return acknowledged ?? findAlert(db, key);
}

/**
 * @param by who does it; null where unknown.
 * @returns those that it acknowledged: not the ones that are acknowledged or resolved already, or unknown.
 */
export async function acknowledgeAlerts(
  db: Database,
  keys: readonly AlertKey[],
  now: Date,
  by: string | null = null,
): Promise<Alert[]> {
  return changeAlerts(db, 'acknowledged', { at: now, by }, (tx) =>
    tx
      .update(alert)
      .set({ status: 'acknowledged', acknowledgedAt: now })
      .where(and(isAnyOf(keys), eq(alert.status, 'open')))
      .returning(),
  );
}

/** Does nothing to an alert that is resolved already. */
export async function resolveAlert(db: Database, key: AlertKey, now: Date, by: string | null = null): Promise<Alert> {
  const [resolved] = await resolveAlerts(db, [key], now, by);
  return resolved ?? findAlert(db, key);
}

/**
 * @param by who does it; null where unknown.
 * @returns those that it resolved: not the ones that are resolved already, or unknown.
 */
export async function resolveAlerts(
  db: Database,
  keys: readonly AlertKey[],
  now: Date,
  by: string | null = null,
): Promise<Alert[]> {
  return changeAlerts(db, 'resolved', { at: now, by }, (tx) => resolveWhere(tx, isAnyOf(keys), now));
}

/** Resolves the unresolved alerts that fit a condition; whoever calls it records the change. */
export async function resolveWhere(tx: Sql, condition: SQL | undefined, now: Date): Promise<Alert[]> {
  return tx
    .update(alert)
    .set({ status: 'resolved', resolvedAt: now })
    .where(and(condition, ne(alert.status, 'resolved')))
    .returning();
}

/**
 * Writes a person's note on an alert in place of the former one; an empty one takes it away.
 * @param by who writes it; null where unknown.
 * @throws RefusedError where there is no such alert.
 */
export async function noteAlert(
  db: Database,
  { note, by, ...key }: AlertKey & { note: string; by: string | null },
  now: Date,
): Promise<Alert> {
  const noted = note === '' ? { note: null, notedBy: null, notedAt: null } : { note, notedBy: by, notedAt: now };
  const [changed] = await changeAlerts(db, 'noted', { at: now, by }, (tx) =>
    tx.update(alert).set(noted).where(isAlert(key)).returning(),
  );
  if (!changed) throw noSuchAlert();
  return changed;
}

/**
 * Writes whether a person calls alerts right, in place of what was said before; null takes that back.
 * @param by who says it; null where unknown.
 * @returns those of which something else was said before.
 */
export async function markAlerts(
  db: Database,
  { keys, feedback, by }: { keys: readonly AlertKey[]; feedback: AlertFeedback | null; by: string | null },
  now: Date,
): Promise<Alert[]> {
  const isNothing = feedback === null;
  const marked = { feedback, feedbackBy: isNothing ? null : by, feedbackAt: isNothing ? null : now };
  return changeAlerts(db, 'marked', { at: now, by }, (tx) =>
    tx
      .update(alert)
      .set(marked)
      .where(and(isAnyOf(keys), sql`${alert.feedback} is distinct from ${feedback}::text`))
      .returning(),
  );
}

/** Resolves the alert that a rule opened at a step; null where there is none, or it is resolved already. */
export async function resolveRule(
  db: Database,
  { run, rule, step }: Pick<Alert, 'run' | 'rule' | 'step'>,
  now: Date,
): Promise<Alert | null> {
  const isRaised = and(eq(alert.run, run), eq(alert.rule, rule), eq(alert.step, step));
  const [resolved] = await changeAlerts(db, 'resolved', { at: now, by: null }, (tx) => resolveWhere(tx, isRaised, now));
  return resolved ?? null;
}

/**
 * Resolves what nobody watches any more: the alerts of a run's former attempts, and of its newest those of all rules but
 * the ones that are open.
 */
export async function resolveStaleAlerts(
  db: Database,
  { run, attempt, open }: { run: string; attempt: number; open: readonly string[] },
  now: Date,
): Promise<Alert[]> {
  const isStale = or(lt(alert.attempt, attempt), notInArray(alert.rule, [...open]));
  return changeAlerts(db, 'resolved', { at: now, by: null }, (tx) =>
    resolveWhere(tx, and(eq(alert.run, run), isStale), now),
  );
}

async function findAlert(db: Database, key: AlertKey): Promise<Alert> {
  const [found] = await db.sql.select().from(alert).where(isAlert(key));
  if (!found) throw noSuchAlert();
  return found;
}

function isAlert({ run, id }: AlertKey) {
  return and(eq(alert.run, run), eq(alert.id, id));
}

/** One condition with two parameters, however many they are. */
function isAnyOf(keys: readonly AlertKey[]): SQL {
  const column = (name: keyof AlertKey) =>
    sql`${arrayOf(
      UUID,
      keys.map((key) => key[name]),
    )}::uuid[]`;
  return sql`(${alert.run}, ${alert.id}) in (select * from unnest(${column('run')}, ${column('id')}))`;
}

function noSuchAlert(): RefusedError {
  return new RefusedError('id', 'no such alert');
}
