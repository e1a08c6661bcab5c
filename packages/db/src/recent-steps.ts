import type { StepEvent } from '@evenkeel/protocol';
import { and, desc, eq, gte, lte, type SQL } from 'drizzle-orm';
import type { Database } from './database.ts';
import { run, step } from './schema.ts';
import { readTimeline, type Segment } from './timeline.ts';

/** The last steps of a run's timeline, the oldest first. */
export async function recentSteps(db: Database, query: { run: string; limit: number }): Promise<StepEvent[]> {
  const [found] = await db.sql.select({ names: run.customNames }).from(run).where(eq(run.id, query.run));
  if (!found) return [];
  const timeline = await readTimeline(db.sql, query.run);
  const newest: StepEvent[] = [];
  for (const segment of timeline.reverse()) {
    if (newest.length >= query.limit) break;
    const rows = await db.sql
      .select()
      .from(step)
      .where(isIn(query.run, segment))
      .orderBy(desc(step.step))
      .limit(query.limit - newest.length);
    for (const row of rows) newest.push(eventOf(row, found.names));
  }
  return newest.reverse();
}

function isIn(id: string, { attempt, first, last }: Segment): SQL | undefined {
  return and(eq(step.run, id), eq(step.attempt, attempt), gte(step.step, first), lte(step.step, last));
}

function eventOf({ run: _run, attempt: _attempt, ...row }: typeof step.$inferSelect, names: string[]): StepEvent {
  return { ...row, time: row.time.getTime(), custom: row.custom && customOf(row.custom, names) };
}

function customOf(values: readonly (number | null)[], names: readonly string[]): Record<string, number> {
  const entries = names.map((name, at) => [name, values[at]] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
}
