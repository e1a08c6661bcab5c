import { randomUUID } from 'node:crypto';
import {
  type Action,
  type Alert,
  type Command,
  type CommandDone,
  RefusedError,
  storableReason,
} from '@evenkeel/protocol';
import { answerTo, type CausedCommand } from '@evenkeel/stability';
import { and, desc, eq, inArray, isNull, lt, ne, or, type SQL } from 'drizzle-orm';
import type { Database, Sql } from '../database.ts';
import { type CommandKey, type CommandRow, findCommand, isCommand } from '../reads/command.ts';
import { alert, attempt, command, run } from '../tables/schema.ts';

/** Commands that may wait for a trainer that is away. */
const MAX_PENDING = 100;

/**
 * Stores a command of a person for the newest attempt of a run.
 * @throws RefusedError where there is no such run, it has ended, or the same command or too many wait for it already.
 */
export async function giveCommand(
  db: Database,
  { run: id, action, by, reason }: Pick<Command, 'run' | 'by' | 'reason'> & { action: Action },
  now: Date,
): Promise<CommandRow> {
  return db.sql.transaction(async (tx) => {
    const found = await lockNewest(tx, id);
    if (!found) throw new RefusedError('run', 'no such run');
    if (found.ended) throw new RefusedError('', `the run has ended: it is ${found.ended}`);
    await checkPending(tx, id, action);
    return insertCommand(
      tx,
      { run: id, attempt: found.number, step: found.step, by, reason, alert: null },
      action,
      now,
    );
  });
}

/** The newest attempt of a run, which neither ends nor is followed by another while the transaction lasts. */
async function lockNewest(tx: Sql, id: string) {
  const [locked] = await tx.select({ step: run.lastStep }).from(run).where(eq(run.id, id)).for('update');
  const [newest] = await tx
    .select({ number: attempt.number, ended: attempt.status, policy: attempt.policy })
    .from(attempt)
    .where(eq(attempt.run, id))
    .orderBy(desc(attempt.number))
    .limit(1);
  return locked && newest ? { ...locked, ...newest } : null;
}

async function checkPending(tx: Sql, id: string, action: Action): Promise<void> {
  const isPending = and(eq(command.run, id), eq(command.status, 'pending'));
  const pending = await tx.select().from(command).where(isPending).limit(MAX_PENDING);
  if (pending.some((row) => row.kind === action.kind && row.factor === factorOf(action)))
    throw new RefusedError('action', 'the trainer has not answered the same command yet');
  if (pending.length === MAX_PENDING)
    throw new RefusedError('run', `${MAX_PENDING} commands wait for its trainer already`);
}

function factorOf(action: Action): number | null {
  return action.kind === 'reduce-lr' ? action.factor : null;
}

/** Gives the command with which the policy of the run answers an alert; null where it answers with none. */
export async function react(tx: Sql, raised: Alert, now: Date): Promise<CommandRow | null> {
  const newest = await lockNewest(tx, raised.run);
  if (!newest) return null;
  const action = answerTo({
    alert: raised,
    newest: { attempt: newest.number, hasEnded: newest.ended !== null, policy: newest.policy },
    caused: await causedCommands(tx, raised),
  });
  if (!action) return null;
  const { run: id, rule, severity, window, message } = raised;
  const step = window[1];
  const reason = storableReason(`${severity} ${rule} at step ${step}: ${message}`);
  return insertCommand(tx, { run: id, attempt: raised.attempt, step, by: rule, reason, alert: raised.id }, action, now);
}

/** What the unresolved alerts of an attempt have caused. */
async function causedCommands(tx: Sql, { run: id, attempt: number }: Alert): Promise<CausedCommand[]> {
  return tx
    .select({ alert: command.alert, kind: command.kind, factor: command.factor, status: command.status })
    .from(command)
    .innerJoin(alert, and(eq(alert.run, command.run), eq(alert.id, command.alert)))
    .where(and(eq(command.run, id), eq(command.attempt, number), ne(alert.status, 'resolved')));
}

async function insertCommand(
  tx: Sql,
  given: Pick<CommandRow, 'run' | 'attempt' | 'step' | 'by' | 'reason' | 'alert'>,
  action: Action,
  now: Date,
): Promise<CommandRow> {
  const what = { kind: action.kind, factor: factorOf(action) };
  const row = { ...given, ...what, id: randomUUID(), status: 'pending', createdAt: now } as const;
  const [inserted] = await tx.insert(command).values(row).returning();
  return inserted as CommandRow;
}

/** One of several connections that takes a command counts more than another that has refused it. */
export async function acknowledgeCommand(db: Database, key: CommandKey, now: Date): Promise<void> {
  await db.sql
    .update(command)
    .set({ status: 'acknowledged', acknowledgedAt: now, error: null, settledAt: null })
    .where(and(isCommand(key), or(eq(command.status, 'pending'), IS_REFUSED)));
}

/**
 * Stores the result of a command. Reported again, the first result stays.
 * @throws RefusedError where there is no such command.
 */
export async function settleCommand(db: Database, { run: id, ...done }: CommandDone, now: Date): Promise<void> {
  const key = { run: id, id: done.id };
  const settled = await db.sql
    .update(command)
    .set({ status: done.error === null ? 'done' : 'failed', result: done.result, error: done.error, settledAt: now })
    .where(and(isCommand(key), or(inArray(command.status, ['pending', 'acknowledged']), IS_REFUSED)))
    .returning({ id: command.id });
  if (settled.length === 0) await findCommand(db, key);
}

const NO_RESULT = 'the attempt ended before it reported a result';

/** An attempt begins: commands that the ones before did not take or report are over. */
export async function endCommandsBefore(tx: Sql, id: string, number: number, now: Date): Promise<void> {
  await endAll(tx, and(eq(command.run, id), lt(command.attempt, number)), now);
}

/** An attempt has ended: a stop that it obeyed is done, and all that it did not take or report is over. */
export async function endCommands(
  tx: Sql,
  id: string,
  number: number,
  ended: { stopped: boolean; reason: string | null; at: Date },
): Promise<void> {
  const ofAttempt = and(eq(command.run, id), eq(command.attempt, number));
  // it may have taken a stop without its acknowledgement having arrived: then it ends for that very reason
  const isObeyed = or(
    eq(command.status, 'acknowledged'),
    and(eq(command.status, 'pending'), eq(command.reason, ended.reason ?? '')),
  );
  if (ended.stopped) {
    const obeyed = and(ofAttempt, eq(command.kind, 'stop'), isObeyed);
    await tx.update(command).set({ status: 'done', settledAt: ended.at }).where(obeyed);
  }
  await endAll(tx, ofAttempt, ended.at);
}

async function endAll(tx: Sql, which: SQL | undefined, at: Date): Promise<void> {
  const end = (status: 'pending' | 'acknowledged', set: Partial<CommandRow>) =>
    tx
      .update(command)
      .set({ ...set, settledAt: at })
      .where(and(which, eq(command.status, status)));
  await end('pending', { status: 'expired' });
  await end('acknowledged', { status: 'failed', error: NO_RESULT });
}

/** Failed before any trainer took it. */
const IS_REFUSED = and(eq(command.status, 'failed'), isNull(command.acknowledgedAt));
