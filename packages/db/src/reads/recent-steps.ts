import type { StepEvent } from '@evenkeel/protocol';
import { and, asc, desc, eq, gte, lte, type SQL } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { scalarSet, scalarValues, step } from '../tables/schema.ts';
import { customNamesOf } from './metric.ts';
import { readTimeline, type Segment } from './timeline.ts';

/**
 * The last steps of a run's timeline, the oldest first.
 * @param query `asOf` is the last attempt that counts: later ones may begin at any moment.
 */
export async function recentSteps(
  db: Database,
  query: { run: string; limit: number; asOf?: number },
): Promise<StepEvent[]> {
  const timeline = await readTimeline(db.sql, query.run, query.asOf);
  const names = await customNamesOf(db.sql, query.run);
  const newest: StepEvent[] = [];
  for (const segment of timeline.reverse()) {
    if (newest.length >= query.limit) break;
    const rows = await db.sql
      .select()
      .from(step)
      .where(isIn(step, query.run, segment))
      .orderBy(desc(step.step))
      .limit(query.limit - newest.length);
    const first = rows.at(-1)?.step ?? segment.last;
    const custom = await readCustom(db, query.run, { ...segment, first }, names);
    for (const row of rows) newest.push(eventOf(row, custom.get(row.step) ?? null));
  }
  return newest.reverse();
}

type Custom = Record<string, number>;

/** The custom scalars of a segment's steps by step; of two values of one name the newer. */
async function readCustom(
  db: Database,
  run: string,
  segment: Segment,
  names: readonly string[],
): Promise<Map<number, Custom>> {
  if (names.length === 0) return new Map();
  const rows = await db.sql
    .select({ step: scalarValues.step, values: scalarValues.values, ids: scalarSet.names })
    .from(scalarValues)
    .innerJoin(scalarSet, and(eq(scalarSet.run, scalarValues.run), eq(scalarSet.id, scalarValues.set)))
    .where(isIn(scalarValues, run, segment))
    .orderBy(asc(scalarValues.version));
  const bySteps = new Map<number, Custom>();
  for (const { step, values, ids } of rows) {
    const custom = Object.fromEntries(ids.map((id, at) => [names[id], values[at]]));
    bySteps.set(step, { ...bySteps.get(step), ...custom });
  }
  return bySteps;
}

function isIn(
  table: typeof step | typeof scalarValues,
  run: string,
  { attempt, first, last }: Segment,
): SQL | undefined {
  return and(eq(table.run, run), eq(table.attempt, attempt), gte(table.step, first), lte(table.step, last));
}

function eventOf({ run: _run, attempt: _attempt, ...row }: typeof step.$inferSelect, custom: Custom | null): StepEvent {
  return { ...row, time: row.time.getTime(), custom };
}
