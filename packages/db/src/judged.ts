import { and, desc, eq, sql } from 'drizzle-orm';
import type { Database } from './database.ts';
import { attempt, run } from './schema.ts';

const MAX_RUNS_TO_JUDGE = 1_000;

/** How far a run's newest attempt was judged; null where nothing was. */
export interface Judged {
  attempt: number;
  judgedTo: number | null;
  firstStep: number | null;
  lastStep: number | null;
}

/** Notes that an attempt was judged up to a step. Never goes back. */
export async function markJudged(db: Database, at: { run: string; attempt: number; step: number }): Promise<void> {
  await db.sql
    .update(attempt)
    .set({ judgedTo: sql`greatest(${attempt.judgedTo}, ${at.step}::int8)` })
    .where(and(eq(attempt.run, at.run), eq(attempt.number, at.attempt)));
}

/** @returns null where there is no such run. */
export async function judgedTo(db: Database, id: string): Promise<Judged | null> {
  const [found] = await db.sql
    .select({
      attempt: attempt.number,
      judgedTo: attempt.judgedTo,
      firstStep: attempt.firstStep,
      lastStep: attempt.lastStep,
    })
    .from(attempt)
    .where(eq(attempt.run, id))
    .orderBy(desc(attempt.number))
    .limit(1);
  return found ?? null;
}

/** Runs of any status whose newest attempt has steps that were not judged: the last thousand that started. */
export async function runsToJudge(db: Database): Promise<string[]> {
  const isNewest = sql`not exists (
    select from ${attempt} as later where later.run = ${attempt.run} and later.number > ${attempt.number})`;
  const rows = await db.sql
    .select({ id: run.id })
    .from(run)
    .innerJoin(attempt, eq(attempt.run, run.id))
    .where(and(sql`${attempt.lastStep} > coalesce(${attempt.judgedTo}, -1)`, isNewest))
    .orderBy(desc(run.startedAt), desc(run.id))
    .limit(MAX_RUNS_TO_JUDGE);
  return rows.map(({ id }) => id);
}
