import { eq } from 'drizzle-orm';
import type { Database } from '../database.ts';
import type { ForecastPoint } from '../reads/forecast.ts';
import { forecast, run } from '../tables/schema.ts';

/** Stores the forecasts of an attempt, in the order of its steps; the summary of the run holds the last. */
export async function saveForecasts(
  db: Database,
  { run: id, attempt, points }: { run: string; attempt: number; points: readonly ForecastPoint[] },
): Promise<void> {
  const newest = points.at(-1);
  if (!newest) return;
  const { step: _step, ...summary } = newest;
  await db.sql.transaction(async (tx) => {
    await tx
      .insert(forecast)
      .values(points.map((point) => ({ ...point, run: id, attempt })))
      .onConflictDoNothing();
    await tx.update(run).set(summary).where(eq(run.id, id));
  });
}
