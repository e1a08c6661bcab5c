import { and, desc, eq, isNull, lte, or, sql } from 'drizzle-orm';
import type { Database } from './database.ts';
import { attempt, run } from './schema.ts';

const MAX_RUNS_TO_JUDGE = 1_000;

/** How far a run's newest attempt was judged; null where nothing was. */
export interface Judged {
  attempt: number;
  judgedTo: number | null;
  /** What the detector remembered then, null where it has not been noted. */
  detector: unknown;
  firstStep: number | null;
  lastStep: number | null;
  /** Steps so far ahead of the last that they are left out. */
  outliers: number[];
  /** What was forecast last in this attempt; null where nothing was. */
  risk: number | null;
}

interface Mark {
  run: string;
  attempt: number;
  /** Null where the attempt begins: the detector then remembers the attempt before. */
  step: number | null;
  detector: unknown;
}

/** Notes how far an attempt was judged, and what the detector remembered then. Never goes back. */
export async function markJudged(db: Database, { run, attempt: number, step, detector }: Mark): Promise<void> {
  await db.sql
    .update(attempt)
    .set({ judgedTo: step, detector })
    .where(
      and(
        eq(attempt.run, run),
        eq(attempt.number, number),
        or(isNull(attempt.judgedTo), step === null ? undefined : lte(attempt.judgedTo, step)),
      ),
    );
}

/** @returns null where there is no such run. */
export async function judgedTo(db: Database, id: string): Promise<Judged | null> {
  const [found] = await db.sql
    .select({
      attempt: attempt.number,
      judgedTo: attempt.judgedTo,
      detector: attempt.detector,
      firstStep: attempt.firstStep,
      lastStep: attempt.lastStep,
      outliers: attempt.outliers,
      risk: run.risk,
    })
    .from(attempt)
    .innerJoin(run, eq(run.id, attempt.run))
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
    .where(
      and(
        sql`${attempt.lastStep} is not null and (${attempt.judgedTo} is null or ${attempt.lastStep} > ${attempt.judgedTo})`,
        isNewest,
      ),
    )
    .orderBy(desc(run.startedAt), desc(run.id))
    .limit(MAX_RUNS_TO_JUDGE);
  return rows.map(({ id }) => id);
}
