import { MAX_FIRST_ATTEMPT, RefusedError, type RunFinish, type RunStart } from '@evenkeel/protocol';
import { and, eq, max, sql } from 'drizzle-orm';
import type { Database, Sql } from '../database.ts';
import { attempt, run } from '../tables/schema.ts';
import { endCommands, endCommandsBefore } from './command.ts';
import { projectOf } from './project.ts';
import { descriptionOf } from './run-description.ts';
import { checkOwner } from './run-owner.ts';

/**
 * Opens a run, or the next attempt of one. The same attempt again changes nothing, except that a lost run runs again.
 * @param key the id of the ingest key that starts it, null for none; the run belongs to it from then on.
 * @returns whether the run changed hands: it was nobody's, or of a key that has been revoked.
 * @throws RefusedError where the run belongs to another key or project, has another number of layers, or the attempt
 * is not the next one.
 */
export async function startRun(
  db: Database,
  start: RunStart,
  now: Date,
  key: string | null = null,
): Promise<{ changedHands: boolean }> {
  return db.sql.transaction(async (tx) => ({ changedHands: await startIn(tx, start, now, key) }));
}

/** As {@link startRun}, in a transaction. @returns whether the run changed hands. */
export async function startIn(tx: Sql, start: RunStart, now: Date, key: string | null): Promise<boolean> {
  const projectId = await projectOf(tx, start.project, now);
  const created = await tx
    .insert(run)
    .values({
      ...descriptionOf(start),
      ...running(now),
      id: start.run,
      projectId,
      keyId: key,
      startedAt: startedAt(start),
    })
    .onConflictDoNothing()
    .returning({ id: run.id });
  if (created.length > 0) checkFirstAttempt(start.attempt);
  const changedHands = created.length === 0 && (await continueRun(tx, start, { projectId, key }, now));
  await insertAttempt(tx, start, key);
  await endCommandsBefore(tx, start.run, start.attempt, now);
  return changedHands;
}

function checkFirstAttempt(number: number): void {
  if (number <= MAX_FIRST_ATTEMPT) return;
  const range = `1 to ${MAX_FIRST_ATTEMPT}`;
  throw new RefusedError('attempt', `the server does not know the run: its first attempt must be from ${range}`);
}

/** Adds the key to the ones that started the attempt before. */
async function insertAttempt(tx: Sql, start: RunStart, key: string | null): Promise<void> {
  const opened = tx.insert(attempt).values({
    run: start.run,
    number: start.attempt,
    keyIds: key === null ? [] : [key],
    startedAt: startedAt(start),
    policy: start.policy,
  });
  if (key === null) await opened.onConflictDoNothing();
  else
    await opened.onConflictDoUpdate({
      target: [attempt.run, attempt.number],
      set: { keyIds: sql`array_append(${attempt.keyIds}, ${key}::uuid)` },
      setWhere: sql`${key}::uuid <> all (${attempt.keyIds})`,
    });
}

/** @returns whether the run changed hands. */
async function continueRun(
  tx: Sql,
  start: RunStart,
  { projectId, key }: { projectId: number; key: string | null },
  now: Date,
): Promise<boolean> {
  const isRun = eq(run.id, start.run);
  const [found] = await tx.select().from(run).where(isRun).for('update');
  if (!found) throw new RefusedError('run', 'the run was deleted at this moment: start it again', true);
  await checkOwner(tx, found.keyId, key);
  if (found.projectId !== projectId) throw new RefusedError('project', 'the run belongs to another project');
  await continueAttempts(tx, start, found, now);
  if (found.keyId === key) return false;
  await tx.update(run).set({ keyId: key }).where(isRun);
  return true;
}

async function continueAttempts(tx: Sql, start: RunStart, found: typeof run.$inferSelect, now: Date): Promise<void> {
  const isRun = eq(run.id, start.run);
  const newest = await newestAttempt(tx, start.run);
  if (start.attempt < newest) return;
  if (start.attempt > newest + 1) {
    throw new RefusedError('attempt', `the run's newest attempt is ${newest}, so the next one is ${newest + 1}`);
  }
  const isNext = start.attempt > newest;
  const mayName = isNext && found.layers.length === 0;
  if (found.layers.length !== start.layers.length && !mayName) {
    throw new RefusedError('layers', `the run has ${found.layers.length} layers, not ${start.layers.length}`);
  }
  if (isNext)
    await tx
      .update(run)
      .set({
        ...descriptionOf(start, found),
        ...running(now),
        risk: null,
        divergenceStep: null,
        divergenceInterval: null,
      })
      .where(isRun);
  else if (found.status === 'lost' || found.status === 'running') await tx.update(run).set(running(now)).where(isRun);
}

/** The number of a run's newest attempt; 0 where it has none. */
export async function newestAttempt(tx: Sql, id: string): Promise<number> {
  const [found] = await tx
    .select({ number: max(attempt.number) })
    .from(attempt)
    .where(eq(attempt.run, id));
  return found?.number ?? 0;
}

function running(now: Date) {
  return { status: 'running', reason: null, endedAt: null, lastSeenAt: now } as const;
}

function startedAt(start: RunStart): Date {
  return new Date(start.startedAt);
}

/**
 * Ends an attempt, and the run with it where no later attempt has begun. Reported again, the first report stays.
 * @returns whether the attempt had not ended before.
 * @throws RefusedError where there is no such run or attempt.
 */
export async function finishRun(db: Database, finish: RunFinish, now: Date): Promise<boolean> {
  const { status, reason } = finish;
  const endedAt = finish.endedAt === undefined ? now : new Date(finish.endedAt);
  return db.sql.transaction(async (tx) => {
    const [found] = await tx.select({ id: run.id }).from(run).where(eq(run.id, finish.run)).for('update');
    if (!found) throw new RefusedError('run', 'no such run');
    const isAttempt = and(eq(attempt.run, finish.run), eq(attempt.number, finish.attempt));
    const [ending] = await tx.select({ status: attempt.status }).from(attempt).where(isAttempt);
    if (!ending) throw new RefusedError('attempt', 'the run has no such attempt');
    if (ending.status) return false;
    await tx.update(attempt).set({ status, endedAt }).where(isAttempt);
    await endCommands(tx, finish.run, finish.attempt, { stopped: status === 'stopped', reason, at: now });
    if (finish.attempt === (await newestAttempt(tx, finish.run))) {
      await tx.update(run).set({ status, reason, endedAt, lastSeenAt: now }).where(eq(run.id, finish.run));
    }
    return true;
  });
}
