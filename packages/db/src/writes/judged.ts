import { and, desc, eq, gt, isNull, lte, or, sql } from 'drizzle-orm';
import type { Database, Sql } from '../database.ts';
import { attempt, forecast, run, step } from '../tables/schema.ts';
import type { StepKey } from './outlier.ts';

/** Steps that are judged again at most where one of them turns out to be wrong. */
const MAX_REJUDGED = 5_000;

interface Mark {
  run: string;
  attempt: number;
  /** Null where the attempt begins: the detector then remembers the attempt before. */
  step: number | null;
  detector: unknown;
}

/** Stores how far an attempt was judged, and the state of the detector then. Never goes back. */
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
