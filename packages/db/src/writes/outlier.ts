import { RefusedError } from '@evenkeel/protocol';
import { refuted, type StepBounds, withoutStep, withStep } from '@evenkeel/stability';
import { and, desc, eq, gte, isNotNull, max, min, notInArray, type SQL } from 'drizzle-orm';
import type { Database, Sql } from '../database.ts';
import { attempt, run, runHistory, step } from '../tables/schema.ts';
import type { AttemptBounds, ExtendedAttempt } from './extend-attempts.ts';

/** Keeps which steps are outliers, where that has changed; those that had counted sum the run up no longer. */
export async function recordOutliers(tx: Sql, attempts: readonly ExtendedAttempt[]): Promise<void> {
  for (const { run, attempt: number, before, bounds } of attempts) {
    if (!isDoubtful(before) && !isDoubtful(bounds)) continue;
    await tx
      .update(attempt)
      .set({ outliers: [...bounds.outliers], jumps: bounds.jumps })
      .where(isAttempt(run, number));
    if (refuted(before, bounds) !== null) await sumUp(tx, { run, attempt: number }, leftOut(bounds));
  }
}

function isDoubtful({ outliers, jumps }: StepBounds): boolean {
  return outliers.length > 0 || jumps.length > 0;
}

function leftOut({ outliers, removed }: Pick<AttemptBounds, 'outliers' | 'removed'>): number[] {
  return [...removed, ...outliers];
}

/** A step of an attempt of a run. */
export interface StepKey {
  run: string;
  attempt: number;
  step: number;
}

/** Steps that a person may have removed from one attempt. */
const MAX_REMOVED = 100;

/**
 * Removes a step from a run's charts and from what sums the run up, or brings it back. It stays stored.
 * @param by who does it; null where unknown.
 * @returns whether that changed anything.
 * @throws RefusedError where the run has no such step, or too many are removed.
 */
export async function removeStep(
  db: Database,
  { removed: isRemoved, by, ...key }: StepKey & { removed: boolean; by: string | null },
  now: Date,
): Promise<boolean> {
  return db.sql.transaction(async (tx) => {
    await tx.select({ id: run.id }).from(run).where(eq(run.id, key.run)).for('update'); // in the order of all
    const [known] = await tx.select().from(attempt).where(isAttempt(key.run, key.attempt));
    const isStep = and(eq(step.run, key.run), eq(step.attempt, key.attempt), eq(step.step, key.step));
    const [found] = await tx.select({ step: step.step }).from(step).where(isStep);
    if (!known || !found) throw new RefusedError('step', 'the attempt has no such step');
    if (known.removed.includes(key.step) === isRemoved) return false;
    if (isRemoved && known.removed.length >= MAX_REMOVED)
      throw new RefusedError('step', `${MAX_REMOVED} steps of this attempt are removed already`);
    const others = known.removed.filter((each) => each !== key.step);
    const removed = isRemoved ? [...others, key.step].sort((one, other) => one - other) : others;
    const counted = await readBounds(tx, key, [...leftOut(known), key.step]);
    const without = withoutStep({ ...counted, outliers: known.outliers, jumps: known.jumps }, key.step, counted);
    const { first, last, outliers, jumps } = isRemoved ? without : withStep(without, key.step);
    await tx
      .update(attempt)
      .set({ firstStep: first, lastStep: last, outliers: [...outliers], jumps, removed })
      .where(isAttempt(key.run, key.attempt));
    // How this attempt and those after it left the run is to be found out again, unless they have no steps left.
    const fromHere = and(eq(attempt.run, key.run), gte(attempt.number, key.attempt));
    await tx.update(attempt).set({ onset: null, onsetTo: null }).where(fromHere);
    await sumUp(tx, key, leftOut({ removed, outliers }));
    await tx.insert(runHistory).values(historyOf(key, { isRemoved, by, at: now }));
    return true;
  });
}

/** The first and the last step of an attempt that count. */
async function readBounds(tx: Sql, key: StepKey, without: number[]) {
  const isOther = without.length > 0 ? notInArray(step.step, without) : undefined;
  const [bounds] = await tx
    .select({ first: min(step.step), last: max(step.step) })
    .from(step)
    .where(and(eq(step.run, key.run), eq(step.attempt, key.attempt), isOther));
  return { first: bounds?.first ?? null, last: bounds?.last ?? null };
}

/** What a run is summed up by is read again, of the steps that count. */
async function sumUp(tx: Sql, key: Omit<StepKey, 'step'>, without: number[]): Promise<void> {
  const latest = (isCarried: SQL | undefined) => {
    const isCounted = without.length > 0 ? notInArray(step.step, without) : undefined;
    return tx
      .select({ step: step.step, time: step.time, loss: step.loss, tevMean: step.tevMean })
      .from(step)
      .where(and(eq(step.run, key.run), eq(step.attempt, key.attempt), isCounted, isCarried))
      .orderBy(desc(step.time), desc(step.step))
      .limit(1);
  };
  const [last] = await latest(undefined);
  const [ofLoss] = await latest(isNotNull(step.loss));
  const [ofTev] = await latest(isNotNull(step.tevMean));
  await tx
    .update(run)
    .set({
      lastStep: last?.step ?? null,
      lastTime: last?.time.getTime() ?? null,
      loss: ofLoss?.loss ?? null,
      lossStep: ofLoss?.step ?? null,
      lossTime: ofLoss?.time.getTime() ?? null,
      tevMean: ofTev?.tevMean ?? null,
      tevMeanStep: ofTev?.step ?? null,
      tevMeanTime: ofTev?.time.getTime() ?? null,
    })
    .where(and(eq(run.id, key.run), eq(run.latestAttempt, key.attempt)));
}

function historyOf(key: StepKey, { isRemoved, by, at }: { isRemoved: boolean; by: string | null; at: Date }) {
  const reason = isRemoved ? 'left out of charts and of the latest values' : 'counts again';
  return { ...key, kind: isRemoved ? 'step removed' : 'step restored', by, reason, at } as const;
}

function isAttempt(run: string, number: number) {
  return and(eq(attempt.run, run), eq(attempt.number, number));
}
