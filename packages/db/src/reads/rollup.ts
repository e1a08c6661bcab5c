import { and, isNotNull, sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { arrayOf, UUID } from '../drivers/array-wire.ts';
import { attempt, ROLLUP_SIZES, rowSpan, STALE_SPAN } from '../tables/schema.ts';
import { floorSql } from './bucket-sql.ts';

/** Steps of the shortest row of a run without custom scalars. */
export const SHORTEST_ROW = rowSpan(ROLLUP_SIZES[0]);
/** Up to where rows can be built: those of custom scalars are shorter. */
export const COMPLETE = sql`case when (select scalar_names > 0 from run where run.id = attempt.run)
  then ${floorSql('(last_step + 1)', STALE_SPAN)} else ${floorSql('(last_step + 1)', SHORTEST_ROW)} end`;

export const isBehind = sql`(${attempt.rolledTo} < ${COMPLETE} and ${attempt.firstStep} < ${COMPLETE} or cardinality(${attempt.stale}) > 0)`;

/** Every run that has steps. */
export async function runsWithSteps(db: Database): Promise<string[]> {
  const rows = await db.sql.selectDistinct({ run: attempt.run }).from(attempt).where(isNotNull(attempt.lastStep));
  return rows.map(({ run }) => run);
}

/**
 * The runs that have something to roll up.
 * @param among all runs where it is left out.
 */
export async function runsToRollUp(db: Database, among?: readonly string[]): Promise<string[]> {
  const isAsked = among && sql`${attempt.run} = any(${arrayOf(UUID, among)}::uuid[])`;
  const rows = await db.sql.selectDistinct({ run: attempt.run }).from(attempt).where(and(isAsked, isBehind));
  return rows.map(({ run }) => run);
}
