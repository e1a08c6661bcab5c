import type { StepBounds } from '@evenkeel/stability';
import { and, desc, eq, gt, isNull, lte, or, sql } from 'drizzle-orm';
import type { Database, Sql } from './database.ts';
import type { StepKey } from './outlier.ts';
import { attempt, forecast, run, step } from './schema.ts';

const MAX_RUNS_TO_JUDGE = 1_000;
/** Steps that are judged again at most where one of them turns out to be wrong. */
const MAX_REJUDGED = 5_000;

/** How far a run's newest attempt was judged; null where nothing was. */
export interface Judged {
  attempt: number;
  judgedTo: number | null;
  /** What the detector remembered then, null where it has not been noted. */
  detector: unknown;
  bounds: StepBounds;
  /** Steps that a person has removed. */
  removed: number[];
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

/**
 * Calls what was judged of the newest attempt since a step came judged no longer: the step turned out to be none, or a
 * person has removed it or brought it back. Its alerts stay, its forecasts go.
 */
export async function rewindJudged(db: Database, key: StepKey): Promise<void> {
  await db.sql.transaction(async (tx) => {
    await tx.select({ id: run.id }).from(run).where(eq(run.id, key.run)).for('update'); // in the order of all
    const isOfAttempt = sql`${step.run} = ${key.run}::uuid and ${step.attempt} = ${key.attempt}::int4`;
    const { rows } = await tx.execute<{ before: string | null }>(sql`
      select greatest(
        (select max(${step.step}) from ${step} where ${isOfAttempt} and ${step.step} < ${key.step}::int8 and ${step.time} < (
          select ${step.time} from ${step} where ${isOfAttempt} and ${step.step} = ${key.step}::int8)),
        (select ${step.step} from ${step} where ${isOfAttempt} order by ${step.step} desc offset ${MAX_REJUDGED} limit 1)
      ) as before`);
    const before = rows[0]?.before == null ? null : Number(rows[0].before);
    const isAfter = before === null ? undefined : gt(attempt.judgedTo, before);
    await tx
      .update(attempt)
      .set({ judgedTo: before, detector: null })
      .where(and(eq(attempt.run, key.run), eq(attempt.number, key.attempt), isAfter));
    const isStale = before === null ? undefined : gt(forecast.step, before);
    await tx.delete(forecast).where(and(eq(forecast.run, key.run), eq(forecast.attempt, key.attempt), isStale));
    await sumUpForecast(tx, key);
  });
}

/** A run is summed up by what was forecast last in its newest attempt. */
async function sumUpForecast(tx: Sql, key: StepKey): Promise<void> {
  const { risk, divergenceStep, divergenceInterval } = forecast;
  const [last] = await tx
    .select({ risk, divergenceStep, divergenceInterval })
    .from(forecast)
    .where(and(eq(forecast.run, key.run), eq(forecast.attempt, key.attempt)))
    .orderBy(desc(forecast.step))
    .limit(1);
  const summary = last ?? { risk: null, divergenceStep: null, divergenceInterval: null };
  await tx.update(run).set(summary).where(eq(run.id, key.run));
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
