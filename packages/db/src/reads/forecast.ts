import { sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { forecast } from '../tables/schema.ts';
import type { ChartQuery } from './columns.ts';
import { clip, readTimeline } from './timeline.ts';

/** What was forecast at a step; it holds until the next. */
export type ForecastPoint = Pick<
  typeof forecast.$inferSelect,
  'step' | 'risk' | 'divergenceStep' | 'divergenceInterval'
>;

type Row = Record<'step' | 'risk' | 'divergenceStep', string | number | null> & {
  divergenceInterval: (string | number)[] | null;
};

/**
 * The forecasts along a run's timeline, in order: the last before the range, which holds at its
 * first step, and those within.
 * Where they are more than the columns, the worst of each column.
 */
export async function readForecasts(
  db: Database,
  { run: id, from = 0, to, attempt, columns }: ChartQuery,
): Promise<ForecastPoint[]> {
  const timeline = clip(await readTimeline(db.sql, id, attempt), from, to ?? Number.POSITIVE_INFINITY);
  const [first, last] = [timeline[0], timeline.at(-1)];
  if (!first || !last) return [];
  const width = Math.max(1, Math.ceil((last.last + 1 - first.first) / columns));
  const points = timeline.map(
    ({ attempt, first: from, last: to }) => sql`
      select *, (step - ${first.first}::int8) / ${width}::int8 as "column" from ${forecast}
      where run = ${id}::uuid and attempt = ${attempt}::int4 and step >= ${from}::int8 and step <= ${to}::int8`,
  );
  const { rows } = await db.sql.execute<Row>(sql`
    (select step, risk, divergence_step as "divergenceStep", divergence_interval as "divergenceInterval"
      from ${forecast}
      where run = ${id}::uuid and attempt = ${first.attempt}::int4 and step < ${first.first}::int8
      order by step desc limit 1)
    union all
    (select distinct on ("column") step, risk, divergence_step, divergence_interval
      from (${sql.join(points, sql` union all `)}) as point
      order by "column", risk desc, step)
    order by step`);
  return rows.map(pointOf);
}

function pointOf({ step, risk, divergenceStep, divergenceInterval }: Row): ForecastPoint {
  return {
    step: Number(step),
    risk: Number(risk),
    divergenceStep: divergenceStep === null ? null : Number(divergenceStep),
    divergenceInterval: divergenceInterval && [Number(divergenceInterval[0]), Number(divergenceInterval[1])],
  };
}
