import {
  type DroppedValue,
  type EndStatus,
  MAX_FIRST_ATTEMPT,
  type OpenAlert,
  type Policy,
  RefusedError,
  type RunFinish,
  type RunStart,
  type RunStatus,
} from '@evenkeel/protocol';
import { and, asc, eq, max, sql } from 'drizzle-orm';
import { openAlertsOf } from './alert-list.ts';
import { endCommands, endCommandsBefore } from './command.ts';
import type { Database, Sql } from './database.ts';
import { readDropped } from './dropped.ts';
import { projectOf } from './project.ts';
import { descriptionOf } from './run-description.ts';
import { type AttemptKey, checkOwner, namesOfKeys } from './run-owner.ts';
import { attempt, droppedValue, project, run } from './schema.ts';

export interface RunSummary {
  id: string;
  project: string;
  name: string;
  status: RunStatus;
  reason: string | null;
  owner: string | null;
  tags: string[];
  startedAt: Date;
  endedAt: Date | null;
  /** When the server last heard of the run. */
  heardAt: Date;
  /** The newest step of the newest attempt that has one, and what it measured. */
  lastStep: number | null;
  loss: number | null;
  tevMean: number | null;
  /** Of divergence within 100 steps, as last forecast; null where nothing was. */
  risk: number | null;
  divergenceStep: number | null;
  divergenceInterval: [number, number] | null;
  /** When it was put away; lists leave it out since then. */
  archivedAt: Date | null;
  /** How many values were left out of its steps. */
  droppedValues: number;
  /** Every alert that is not resolved, the newest first. */
  openAlerts: OpenAlert[];
}

interface AttemptSummary {
  number: number;
  status: EndStatus | null;
  policy: Policy;
  startedAt: Date;
  endedAt: Date | null;
  firstStep: number | null;
  lastStep: number | null;
  /** Steps that are left out of charts: they look wrong, or a person has removed them. */
  outliers: number[];
  removed: number[];
  /** The attempt that its emitter believes to send; null where that is this one. */
  startedAs: number | null;
  /** Values for which two emitters of it sent different numbers. */
  conflicts: number;
  /** The keys that started it: none without keys, more than one where the run was taken over in its course. */
  keys: AttemptKey[];
}

export interface RunDetail extends RunSummary {
  config: Record<string, unknown>;
  notes: string;
  /** When a person wrote the notes or the tags in place of the trainer's, and who did last; null where nobody has. */
  notesEditedAt: Date | null;
  tagsEditedAt: Date | null;
  editedBy: string | null;
  layers: string[];
  /** Values that were left out of its steps. */
  dropped: DroppedValue[];
  attempts: AttemptSummary[];
}

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
      ...heard(now),
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

/** Notes the key beside the ones that started the attempt before. */
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
        ...heard(now),
        risk: null,
        divergenceStep: null,
        divergenceInterval: null,
      })
      .where(isRun);
  else if (found.status === 'lost' || found.status === 'running') await tx.update(run).set(heard(now)).where(isRun);
}

/** The number of a run's newest attempt; 0 where it has none. */
export async function newestAttempt(tx: Sql, id: string): Promise<number> {
  const [found] = await tx
    .select({ number: max(attempt.number) })
    .from(attempt)
    .where(eq(attempt.run, id));
  return found?.number ?? 0;
}

function heard(now: Date) {
  return { status: 'running', reason: null, endedAt: null, heardAt: now } as const;
}

function startedAt(start: RunStart): Date {
  return new Date(start.startedAt);
}

/**
 * Ends an attempt, and the run with it where no later attempt has begun. Told again, what was said first stays.
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
      await tx.update(run).set({ status, reason, endedAt, heardAt: now }).where(eq(run.id, finish.run));
    }
    return true;
  });
}

const DROPPED_VALUES = sql<number>`(
  select coalesce(sum(${droppedValue.count}), 0) from ${droppedValue} where ${droppedValue.run} = ${run.id}
)`.mapWith(Number);

/** The columns of a {@link RunSummary}, but its alerts. */
export const SUMMARY = {
  id: run.id,
  project: project.name,
  name: run.name,
  status: run.status,
  reason: run.reason,
  owner: run.owner,
  tags: run.tags,
  startedAt: run.startedAt,
  endedAt: run.endedAt,
  heardAt: run.heardAt,
  lastStep: run.lastStep,
  loss: run.loss,
  tevMean: run.tevMean,
  risk: run.risk,
  divergenceStep: run.divergenceStep,
  divergenceInterval: run.divergenceInterval,
  archivedAt: run.archivedAt,
  droppedValues: DROPPED_VALUES,
};

export async function getRun(db: Database, id: string): Promise<RunDetail | null> {
  const { config, notes, notesEditedAt, tagsEditedAt, editedBy, layers } = run;
  const [found] = await db.sql
    .select({ ...SUMMARY, config, notes, notesEditedAt, tagsEditedAt, editedBy, layers })
    .from(run)
    .innerJoin(project, eq(project.id, run.projectId))
    .where(eq(run.id, id));
  if (!found) return null;
  const attempts = await db.sql
    .select({
      number: attempt.number,
      status: attempt.status,
      policy: attempt.policy,
      startedAt: attempt.startedAt,
      endedAt: attempt.endedAt,
      firstStep: attempt.firstStep,
      lastStep: attempt.lastStep,
      outliers: attempt.outliers,
      removed: attempt.removed,
      startedAs: attempt.startedAs,
      conflicts: attempt.conflicts,
      keyIds: attempt.keyIds,
    })
    .from(attempt)
    .where(eq(attempt.run, id))
    .orderBy(asc(attempt.number));
  const keyOf = await namesOfKeys(
    db,
    attempts.flatMap(({ keyIds }) => keyIds),
  );
  const alerts = await openAlertsOf(db, [id]);
  const dropped = await readDropped(db, id);
  return {
    ...found,
    openAlerts: alerts.get(id) ?? [],
    attempts: attempts.map(({ keyIds, ...rest }) => ({ ...rest, keys: keyIds.map(keyOf) })),
    dropped,
  };
}
