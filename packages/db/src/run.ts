import {
  type EndStatus,
  type OpenAlert,
  type Policy,
  RefusedError,
  type RunFinish,
  type RunStart,
  type RunStatus,
} from '@evenkeel/protocol';
import { and, asc, eq, getTableColumns, max } from 'drizzle-orm';
import { openAlertsOf } from './alert-list.ts';
import { endCommands, endCommandsBefore } from './command.ts';
import type { Database, Sql } from './database.ts';
import { projectOf } from './project.ts';
import { descriptionOf } from './run-description.ts';
import { attempt, project, run } from './schema.ts';

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
}

export interface RunDetail extends RunSummary {
  config: Record<string, unknown>;
  notes: string;
  /** When a person wrote the notes or the tags in place of the trainer's, and who did last; null where nobody has. */
  notesEditedAt: Date | null;
  tagsEditedAt: Date | null;
  editedBy: string | null;
  layers: string[];
  customNames: string[];
  attempts: AttemptSummary[];
}

/**
 * Opens a run, or the next attempt of one. The same attempt again changes nothing, except that a lost run runs again.
 * @throws RefusedError where the run belongs to another project, or has another number of layers.
 */
export async function startRun(db: Database, start: RunStart, now: Date): Promise<void> {
  await db.sql.transaction(async (tx) => {
    const projectId = await projectOf(tx, start.project, now);
    const created = await tx
      .insert(run)
      .values({
        ...descriptionOf(start),
        ...heard(now),
        id: start.run,
        projectId,
        customNames: [],
        startedAt: startedAt(start),
      })
      .onConflictDoNothing()
      .returning({ id: run.id });
    if (created.length === 0) await continueRun(tx, start, projectId, now);
    const ofRun = { run: start.run, startedAt: startedAt(start) };
    await tx
      .insert(attempt)
      .values({ ...ofRun, number: start.attempt, policy: start.policy, rolledTo: 0, stale: [] })
      .onConflictDoNothing();
    await endCommandsBefore(tx, start.run, start.attempt, now);
  });
}

async function continueRun(tx: Sql, start: RunStart, projectId: number, now: Date): Promise<void> {
  const isRun = eq(run.id, start.run);
  const [found] = await tx.select().from(run).where(isRun).for('update');
  if (found?.projectId !== projectId) throw new RefusedError('project', 'the run belongs to another project');
  const newest = await newestAttempt(tx, start.run);
  if (start.attempt < newest) return;
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

async function newestAttempt(tx: Sql, id: string): Promise<number> {
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
 * @throws RefusedError where there is no such run or attempt.
 */
export async function finishRun(db: Database, finish: RunFinish, now: Date): Promise<void> {
  const { status, reason } = finish;
  const endedAt = finish.endedAt === undefined ? now : new Date(finish.endedAt);
  await db.sql.transaction(async (tx) => {
    const [found] = await tx.select({ id: run.id }).from(run).where(eq(run.id, finish.run)).for('update');
    if (!found) throw new RefusedError('run', 'no such run');
    const isAttempt = and(eq(attempt.run, finish.run), eq(attempt.number, finish.attempt));
    const [ending] = await tx.select({ status: attempt.status }).from(attempt).where(isAttempt);
    if (!ending) throw new RefusedError('attempt', 'the run has no such attempt');
    if (ending.status) return;
    await tx.update(attempt).set({ status, endedAt }).where(isAttempt);
    await endCommands(tx, finish.run, finish.attempt, { stopped: status === 'stopped', reason, at: now });
    if (finish.attempt < (await newestAttempt(tx, finish.run))) return;
    await tx.update(run).set({ status, reason, endedAt, heardAt: now }).where(eq(run.id, finish.run));
  });
}

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
};

const { projectId: _projectId, ...OWN } = getTableColumns(run);

export async function getRun(db: Database, id: string): Promise<RunDetail | null> {
  const [found] = await db.sql
    .select({ ...OWN, project: project.name })
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
    })
    .from(attempt)
    .where(eq(attempt.run, id))
    .orderBy(asc(attempt.number));
  const alerts = await openAlertsOf(db, [id]);
  return { ...found, openAlerts: alerts.get(id) ?? [], attempts };
}
