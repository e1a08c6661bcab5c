import type { StepBounds } from '@evenkeel/stability';
import { and, desc, eq, sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { attempt, run } from '../tables/schema.ts';

const MAX_RUNS_TO_JUDGE = 1_000;

/** How far a run's newest attempt was judged; null where nothing was. */
export interface Judged {
  attempt: number;
  judgedTo: number | null;
  /** The state of the detector then, null where it was not stored. */
  detector: unknown;
  bounds: StepBounds;
  /** Steps that a person has removed. */
  removed: number[];
  /** What was forecast last in this attempt; null where nothing was, or no step was predicted. */
  risk: number | null;
  divergenceStep: number | null;
}

/** @returns null where there is no such run. */
export async function judgedTo(db: Database, id: string): Promise<Judged | null> {
  const [found] = await db.sql
    .select({
      attempt: attempt.number,
      judgedTo: attempt.judgedTo,
      detector: attempt.detector,
      bounds: {
        first: attempt.firstStep,
        last: attempt.lastStep,
        outliers: attempt.outliers,
        jumps: attempt.jumps,
      },
      removed: attempt.removed,
      risk: run.risk,
      divergenceStep: run.divergenceStep,
    })
    .from(attempt)
    .innerJoin(run, eq(run.id, attempt.run))
    .where(eq(attempt.run, id))
    .orderBy(desc(attempt.number))
    .limit(1);
  return found ?? null;
}

/**
 * Runs of any status whose newest attempt has steps that were not judged, or was judged to what turned out to be none:
 * the last thousand that started.
 */
export async function runsToJudge(db: Database): Promise<string[]> {
  const isNewest = sql`not exists (
    select from ${attempt} as later where later.run = ${attempt.run} and later.number > ${attempt.number})`;
  const rows = await db.sql
    .select({ id: run.id })
    .from(run)
    .innerJoin(attempt, eq(attempt.run, run.id))
    .where(
      and(sql`${attempt.lastStep} is not null and ${attempt.lastStep} is distinct from ${attempt.judgedTo}`, isNewest),
    )
    .orderBy(desc(run.startedAt), desc(run.id))
    .limit(MAX_RUNS_TO_JUDGE);
  return rows.map(({ id }) => id);
}
