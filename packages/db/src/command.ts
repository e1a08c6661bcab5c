import { randomUUID } from 'node:crypto';
import {
  type Action,
  type Alert,
  type Command,
  type CommandDone,
  RefusedError,
  storableReason,
} from '@evenkeel/protocol';
import { and, asc, desc, eq, exists, inArray, isNull, lt, ne } from 'drizzle-orm';
import type { Database, Sql } from './database.ts';
import { alert, attempt, command, run } from './schema.ts';

/** A command as it is kept, with what came of it so far. */
export type CommandRow = typeof command.$inferSelect;

export type CommandKey = Pick<Command, 'run' | 'id'>;

/** Rules whose alerts no command answers: a trainer that does not answer cannot obey, and may only be slow. */
const UNANSWERED_RULES = ['stalled'];

/**
 * Notes a command of a person to the newest attempt of a run.
 * @throws RefusedError where there is no such run, or it has ended.
 */
export async function giveCommand(
  db: Database,
  { run: id, action, by, reason }: Pick<Command, 'run' | 'by' | 'reason'> & { action: Action },
  now: Date,
): Promise<CommandRow> {
  return db.sql.transaction(async (tx) => {
    const [found] = await tx
      .select({ number: attempt.number, ended: attempt.status, step: run.lastStep })
      .from(attempt)
      .innerJoin(run, eq(run.id, attempt.run))
      .where(eq(attempt.run, id))
      .orderBy(desc(attempt.number))
      .limit(1);
    if (!found) throw new RefusedError('run', 'no such run');
    if (found.ended) throw new RefusedError('run', `the run has ended: it is ${found.ended}`);
    return insertCommand(
      tx,
      { run: id, attempt: found.number, step: found.step, by, reason, alert: null },
      action,
      now,
    );
  });
}

/**
 * Gives the command that the policy of an alert's attempt asks for; null where it asks for none, or the attempt has
 * ended. What another rule's alert has caused, and which is unresolved, is not done a second time.
 */
export async function react(tx: Sql, raised: Alert, now: Date): Promise<CommandRow | null> {
  if (UNANSWERED_RULES.includes(raised.rule)) return null;
  const [found] = await tx
    .select({ policy: attempt.policy })
    .from(attempt)
    .where(and(eq(attempt.run, raised.run), eq(attempt.number, raised.attempt), isNull(attempt.status)));
  const reaction = found?.policy[raised.severity];
  if (!reaction || reaction.kind === 'observe' || (await isCausedAlready(tx, raised, reaction))) return null;
  const { run: id, rule, severity, window, message } = raised;
  const step = window[1];
  const reason = storableReason(`${severity} ${rule} at step ${step}: ${message}`);
  return insertCommand(
    tx,
    { run: id, attempt: raised.attempt, step, by: rule, reason, alert: raised.id },
    reaction,
    now,
  );
}

async function isCausedAlready(tx: Sql, raised: Alert, { kind }: Action): Promise<boolean> {
  const unresolved = tx
    .select()
    .from(alert)
    .where(
      and(
        eq(alert.run, raised.run),
        eq(alert.id, command.alert),
        ne(alert.id, raised.id),
        ne(alert.status, 'resolved'),
      ),
    );
  const caused = await tx
    .select({ id: command.id })
    .from(command)
    .where(
      and(eq(command.run, raised.run), eq(command.attempt, raised.attempt), eq(command.kind, kind), exists(unresolved)),
    )
    .limit(1);
  return caused.length > 0;
}

async function insertCommand(
  tx: Sql,
  given: Pick<CommandRow, 'run' | 'attempt' | 'step' | 'by' | 'reason' | 'alert'>,
  action: Action,
  now: Date,
): Promise<CommandRow> {
  const factor = action.kind === 'reduce-lr' ? action.factor : null;
  const row = { ...given, id: randomUUID(), kind: action.kind, factor, status: 'pending', createdAt: now } as const;
  const [inserted] = await tx.insert(command).values(row).returning();
  return inserted as CommandRow;
}

/** What a run's attempt has not acknowledged yet, in the order in which it was given. */
export async function pendingCommands(db: Database, id: string, number: number): Promise<CommandRow[]> {
  return db.sql
    .select()
    .from(command)
    .where(and(eq(command.run, id), eq(command.attempt, number), eq(command.status, 'pending')))
    .orderBy(asc(command.createdAt), asc(command.id));
}

export async function acknowledgeCommand(db: Database, key: CommandKey, now: Date): Promise<void> {
  await db.sql
    .update(command)
    .set({ status: 'acknowledged', acknowledgedAt: now })
    .where(and(isCommand(key), eq(command.status, 'pending')));
}

/**
 * Notes what came of a command. Told again, what was said first stays.
 * @throws RefusedError where there is no such command.
 */
export async function settleCommand(db: Database, { run: id, ...done }: CommandDone, now: Date): Promise<void> {
  const key = { run: id, id: done.id };
  const settled = await db.sql
    .update(command)
    .set({ status: done.error === null ? 'done' : 'failed', result: done.result, error: done.error, settledAt: now })
    .where(and(isCommand(key), inArray(command.status, ['pending', 'acknowledged'])))
    .returning({ id: command.id });
  if (settled.length === 0) await findCommand(db, key);
}

/** @throws RefusedError where there is no such command. */
export async function findCommand(db: Database, key: CommandKey): Promise<CommandRow> {
  const [found] = await db.sql.select().from(command).where(isCommand(key));
  if (!found) throw new RefusedError('id', 'no such command');
  return found;
}

/** Newest first. */
export async function listCommands(
  db: Database,
  { run: id, limit }: { run: string; limit: number },
): Promise<CommandRow[]> {
  return db.sql
    .select()
    .from(command)
    .where(eq(command.run, id))
    .orderBy(desc(command.createdAt), desc(command.id))
    .limit(limit);
}

/** An attempt begins: what the ones before did not take is not for it. */
export async function expireBefore(tx: Sql, id: string, number: number, now: Date): Promise<void> {
  await tx
    .update(command)
    .set({ status: 'expired', settledAt: now })
    .where(and(eq(command.run, id), lt(command.attempt, number), eq(command.status, 'pending')));
}

/** An attempt has ended: a stop that it took is done where it says so, and what it did not take comes too late. */
export async function endCommands(
  tx: Sql,
  id: string,
  number: number,
  ended: { stopped: boolean; at: Date },
): Promise<void> {
  const ofAttempt = and(eq(command.run, id), eq(command.attempt, number));
  await tx
    .update(command)
    .set({ status: 'expired', settledAt: ended.at })
    .where(and(ofAttempt, eq(command.status, 'pending')));
  if (!ended.stopped) return;
  await tx
    .update(command)
    .set({ status: 'done', settledAt: ended.at })
    .where(and(ofAttempt, eq(command.status, 'acknowledged'), eq(command.kind, 'stop')));
}

function isCommand({ run: id, id: own }: CommandKey) {
  return and(eq(command.run, id), eq(command.id, own));
}
