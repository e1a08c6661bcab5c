import { CHARTED_FIELDS, type ChartMetric, FIRST_CUSTOM_METRIC, STEP_FIELDS } from '@evenkeel/protocol';
import { and, asc, count, eq, ilike, inArray, notInArray, type SQL, sql } from 'drizzle-orm';
import { containing, type Database, onlyRow, type Sql } from '../database.ts';
import { scalarName } from '../tables/schema.ts';

const CUSTOM = 'custom:';

/** What a chart has a series of: a scalar of every step, or a custom scalar by its name. */
export type SeriesKey = ChartMetric | `${typeof CUSTOM}${string}`;

export const CHARTED: readonly ChartMetric[] = CHARTED_FIELDS.map(({ name }) => name);
export const CHARTED_WHERE_REPORTED: ReadonlySet<SeriesKey> = new Set(
  CHARTED_FIELDS.filter(({ charted }) => charted === 'where reported').map(({ name }) => name),
);

const FIELD_METRICS = new Map<string, number>(STEP_FIELDS.map(({ name, metric }) => [name, metric]));

/** The number under which rollups hold each series, without the custom scalars that the run does not have. */
export async function metricsOf(db: Sql, run: string, keys: readonly SeriesKey[]): Promise<Map<SeriesKey, number>> {
  const names = keys.filter((key) => key.startsWith(CUSTOM)).map((key) => key.slice(CUSTOM.length));
  const ids = await idsOf(db, run, names);
  const metrics = keys.map((key): [SeriesKey, number | undefined] => {
    return [key, key.startsWith(CUSTOM) ? ids.get(key.slice(CUSTOM.length)) : FIELD_METRICS.get(key)];
  });
  return new Map(metrics.filter((metric): metric is [SeriesKey, number] => metric[1] !== undefined));
}

async function idsOf(db: Sql, run: string, names: readonly string[]): Promise<Map<string, number>> {
  if (names.length === 0) return new Map();
  const rows = await db
    .select({ name: scalarName.name, id: scalarName.id })
    .from(scalarName)
    .where(and(eq(scalarName.run, run), inArray(scalarName.name, [...names])));
  return new Map(rows.map(({ name, id }) => [name, FIRST_CUSTOM_METRIC + id]));
}

/** In the order in which they were first seen. */
export async function customNamesOf(db: Sql, run: string): Promise<string[]> {
  const rows = await db
    .select({ name: scalarName.name })
    .from(scalarName)
    .where(eq(scalarName.run, run))
    .orderBy(asc(scalarName.id));
  return rows.map(({ name }) => name);
}

/** Which custom scalars of a run to list. */
export interface CustomNamesQuery {
  run: string;
  /** Part of a name. */
  search?: string | undefined;
  /** Names to leave out. */
  without?: readonly string[] | undefined;
  /** Only names that begin so. */
  prefix?: string | undefined;
  /** Only names that do not begin so. */
  notPrefix?: string | undefined;
  /** Names behind this one alone, for who reads page after page. */
  after?: string | undefined;
  limit: number;
}

export interface CustomNames {
  /** By code points. */
  names: string[];
  /** How many there are, whatever the limit. */
  total: number;
}

/** A run may have 10,000 names of 500 characters: whoever lists them reads some, or searches. */
export async function findCustomNames(db: Database, query: CustomNamesQuery): Promise<CustomNames> {
  const names = await listCustomNames(db, query);
  const { total } = onlyRow(await db.sql.select({ total: count() }).from(scalarName).where(isFound(query)));
  return { names, total };
}

/** The same without counting them, by code points. */
export async function listCustomNames(db: Database, query: CustomNamesQuery): Promise<string[]> {
  const { after, limit } = query;
  const inOrder = sql`${scalarName.name} collate "C"`;
  const rows = await db.sql
    .select({ name: scalarName.name })
    .from(scalarName)
    .where(and(isFound(query), after === undefined ? undefined : sql`${inOrder} > ${after}`))
    .orderBy(inOrder)
    .limit(limit);
  return rows.map(({ name }) => name);
}

function isFound({ run, search, without = [], prefix, notPrefix }: CustomNamesQuery): SQL | undefined {
  return and(
    eq(scalarName.run, run),
    search ? ilike(scalarName.name, containing(search)) : undefined,
    prefix ? sql`starts_with(${scalarName.name}, ${prefix})` : undefined,
    notPrefix ? sql`not starts_with(${scalarName.name}, ${notPrefix})` : undefined,
    without.length > 0 ? notInArray(scalarName.name, [...without]) : undefined,
  );
}
