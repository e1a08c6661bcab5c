import { RefusedError, type RunStart, type RunStatus, type StartRequest } from '@evenkeel/protocol';
import { chooseAttempt, isInert, isLaterLife, type KnownAttempt } from '@evenkeel/stability';
import { and, asc, eq } from 'drizzle-orm';
import type { Database, Sql } from '../database.ts';
import { attempt, run, runHistory } from '../tables/schema.ts';
import { startIn } from './run.ts';

/** Tokens kept with an attempt: the newest. */
const MAX_SESSIONS = 64;

export interface OpenedAttempt {
  attempt: number;
  newest: { attempt: number; lastStep: number | null; status: RunStatus };
  /** Whether the attempt had ended before this start began: its steps are another attempt's. */
  isOver: boolean;
  /** Whether its steps are stored and no policy acts on them. */
  isInert: boolean;
  changedHands: boolean;
}

/**
 * Starts a run as its emitter asks for it, see `chooseAttempt` for which attempt that is.
 * @throws RefusedError as {@link startIn}.
 */
export async function openAttempt(
  db: Database,
  request: StartRequest,
  now: Date,
  key: string | null = null,
): Promise<OpenedAttempt> {
  return db.sql.transaction(async (tx) => {
    const { attempts, lastTime } = await lockAttempts(tx, request.run);
    const chosen = chooseAttempt(request, attempts);
    const changedHands = await startIn(tx, { ...request, attempt: chosen }, now, key);
    await keepSession(tx, request, chosen);
    const newest = attempts.at(-1);
    const isNewest = newest !== undefined && newest.number === chosen;
    const isOver = isNewest && isLaterLife(request, newest, lastTime);
    return {
      attempt: chosen,
      newest: await readNewest(tx, request.run),
      isOver,
      isInert: !isOver && isInert(chosen, attempts),
      changedHands,
    };
  });
}

/**
 * Opens the attempt after one that has ended, since steps come for it: unless another emitter of the same job has just
 * opened it, or another job has begun a later one.
 * @param start what the emitter started; `attempt` is what it believes to send.
 * @param by who sends the steps; null where unknown.
 * @throws RefusedError as {@link startIn}.
 */
export async function openAfter(
  db: Database,
  { start, ended, by }: { start: RunStart; ended: number; by: string | null },
  now: Date,
  key: string | null = null,
): Promise<OpenedAttempt> {
  return db.sql.transaction(async (tx) => {
    const { attempts } = await lockAttempts(tx, start.run);
    const newest = attempts.at(-1);
    if (!newest) throw new RefusedError('run', 'no such run');
    const isDue = newest.number === ended && newest.hasEnded;
    const inPlace = newest.startedAs === start.attempt ? newest.number : ended; // else a later job has the run
    const number = isDue ? ended + 1 : inPlace;
    const changedHands = await startIn(tx, { ...start, attempt: number }, now, key);
    if (isDue) await noteOpened(tx, start, { number, by, at: now });
    const inert = !isDue && isInert(number, attempts);
    return { attempt: number, newest: await readNewest(tx, start.run), isOver: false, isInert: inert, changedHands };
  });
}

async function noteOpened(
  tx: Sql,
  start: RunStart,
  { number, by, at }: { number: number; by: string | null; at: Date },
): Promise<void> {
  await tx.update(attempt).set({ startedAs: start.attempt }).where(isAttempt(start.run, number));
  const reason = `steps came for attempt ${number - 1}, which had ended: they are of a later life of the job`;
  await tx.insert(runHistory).values({ run: start.run, attempt: number, kind: 'attempt opened', by, reason, at });
}

/** The attempts of a run in order, none of which is added to or ends while the transaction lasts. */
async function lockAttempts(tx: Sql, id: string): Promise<{ attempts: KnownAttempt[]; lastTime: number | null }> {
  const { latestAttempt, lastTime } = run;
  const [locked] = await tx.select({ latestAttempt, lastTime }).from(run).where(eq(run.id, id)).for('update');
  if (!locked) return { attempts: [], lastTime: null };
  const rows = await tx
    .select({
      number: attempt.number,
      status: attempt.status,
      startedAt: attempt.startedAt,
      startedAs: attempt.startedAs,
      sessions: attempt.sessions,
    })
    .from(attempt)
    .where(eq(attempt.run, id))
    .orderBy(asc(attempt.number));
  const attempts = rows.map(({ status, startedAt, ...rest }) => {
    return { ...rest, hasEnded: status !== null, startedAt: startedAt.getTime() };
  });
  const isOfNewest = locked.latestAttempt === attempts.at(-1)?.number;
  return { attempts, lastTime: isOfNewest ? locked.lastTime : null };
}

async function keepSession(tx: Sql, { run: id, session }: StartRequest, number: number): Promise<void> {
  if (session === null) return;
  const [known] = await tx.select({ sessions: attempt.sessions }).from(attempt).where(isAttempt(id, number));
  if (!known || known.sessions.includes(session)) return;
  const sessions = [...known.sessions, session].slice(-MAX_SESSIONS);
  await tx.update(attempt).set({ sessions }).where(isAttempt(id, number));
}

async function readNewest(tx: Sql, id: string): Promise<OpenedAttempt['newest']> {
  const attempts = await tx
    .select({ attempt: attempt.number, lastStep: attempt.lastStep, status: run.status })
    .from(attempt)
    .innerJoin(run, eq(run.id, attempt.run))
    .where(eq(attempt.run, id))
    .orderBy(asc(attempt.number));
  const newest = attempts.at(-1);
  if (!newest) throw new Error(`run ${id} has no attempt`);
  return newest;
}

function isAttempt(id: string, number: number) {
  return and(eq(attempt.run, id), eq(attempt.number, number));
}
