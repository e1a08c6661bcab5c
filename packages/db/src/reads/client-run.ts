import { type RunNames, type RunStatus, SCALAR_FIELDS } from '@evenkeel/protocol';
import { and, eq, inArray, isNotNull, isNull, type SQL, sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { project, run, runSource, scalarName, scalarSet, scalarValues, step } from '../tables/schema.ts';
import { isOlder, newestFirst, pageOf, type TimePage } from './time-cursor.ts';

/** A run as clients of other trackers read it: with all that describes it, and without its steps. */
export interface ClientRun {
  id: string;
  projectId: number;
  project: string;
  name: string;
  status: RunStatus;
  owner: string | null;
  config: Record<string, unknown>;
  tags: string[];
  notes: string;
  names: RunNames;
  startedAt: Date;
  endedAt: Date | null;
  archivedAt: Date | null;
  /** The ingest key that it belongs to; null for none. */
  keyId: string | null;
  /** Of its source; null where it came in another way. */
  parent: string | null;
  state: Record<string, unknown> | null;
}

export interface ClientRunQuery {
  ids?: readonly string[] | undefined;
  projects?: readonly number[] | undefined;
  /** Only runs of this ingest key, null for those that belong to none; left out for all. */
  key?: string | null | undefined;
  /** Archived runs alone, or no archived run; left out for all. */
  archived?: boolean | undefined;
  limit: number;
  /** `nextCursor` of the page before. */
  cursor?: string | undefined;
}

const ORDER = { time: run.startedAt, id: run.id, type: 'uuid' } as const;

/**
 * The newest first.
 * @throws RefusedError where the cursor is not of such a list.
 */
export async function pageClientRuns(db: Database, query: ClientRunQuery): Promise<TimePage<ClientRun>> {
  const { id, projectId, name, status, owner, config, tags, notes, names, startedAt, endedAt } = run;
  const { ids, projects, archived, limit, cursor } = query;
  const rows = await db.sql
    .select({
      ...{ id, projectId, name, status, owner, config, tags, notes, names, startedAt, endedAt },
      project: project.name,
      archivedAt: run.archivedAt,
      keyId: run.keyId,
      parent: runSource.parent,
      state: runSource.state,
    })
    .from(run)
    .innerJoin(project, eq(project.id, run.projectId))
    .leftJoin(runSource, eq(runSource.run, run.id))
    .where(
      and(
        ids && inArray(run.id, [...ids]),
        projects && inArray(run.projectId, [...projects]),
        isOfKey(query.key),
        archived === undefined ? undefined : archived ? isNotNull(run.archivedAt) : isNull(run.archivedAt),
        cursor === undefined ? undefined : isOlder(cursor, ORDER),
      ),
    )
    .orderBy(...newestFirst(ORDER))
    .limit(limit + 1);
  return pageOf(rows, limit, (row) => row.startedAt);
}

function isOfKey(key: string | null | undefined): SQL | undefined {
  if (key === undefined) return undefined;
  return key === null ? isNull(run.keyId) : eq(run.keyId, key);
}

/** The newest value of one name. */
interface LatestValue {
  value: number;
  step: number;
  /** In milliseconds since 1970. */
  time: number;
}

/** What a run measured last, by the names of fields, and by those of custom scalars. */
export interface LatestValues {
  fields: Map<string, LatestValue>;
  custom: Map<string, LatestValue>;
}

/** Steps behind which a field counts as not measured any more: a run may have millions without it. */
const SEARCHED_STEPS = 200;
const MILLISECONDS = sql`(extract(epoch from ${step.time}) * 1000)::float8`;

/** The newest value of each name of some runs: of fields within their last 200 steps, of custom scalars within all. */
export async function latestValues(db: Database, ids: readonly string[]): Promise<Map<string, LatestValues>> {
  const values = new Map(ids.map((id) => [id, { fields: new Map(), custom: new Map() } as LatestValues]));
  if (ids.length === 0) return values;
  const list = sql.join(
    ids.map((id) => sql`${id}::uuid`),
    sql`, `,
  );
  for (const row of await lastSteps(db, list)) {
    const known = values.get(row.run)?.fields;
    for (const { name } of SCALAR_FIELDS) {
      const value = row[name];
      if (value !== null && known && !known.has(name)) known.set(name, { value, ...placeOf(row) });
    }
  }
  for (const row of await lastScalars(db, list)) {
    const known = values.get(row.run)?.custom;
    if (known && !known.has(row.name)) known.set(row.name, { value: row.value, ...placeOf(row) });
  }
  return values;
}

/** The newest value of a field of a run, however far behind its last step; null where it has none. */
export async function latestOfField(
  db: Database,
  id: string,
  field: (typeof SCALAR_FIELDS)[number]['name'],
): Promise<LatestValue | null> {
  const { rows } = await db.sql.execute<Omit<Place, 'run'> & { value: number }>(sql`
    select ${step.step}, ${MILLISECONDS} as time, ${step[field]}::float8 as value from ${step}
    where ${step.run} = ${id} and ${step[field]} is not null
    order by ${step.attempt} desc, ${step.step} desc limit 1`);
  const [row] = rows;
  return row ? { value: row.value, ...placeOf(row) } : null;
}

/** 64-bit integers are text with one of the drivers. */
type Place = {
  run: string;
  step: number | string;
  time: number;
};

function placeOf({ step, time }: Omit<Place, 'run'>) {
  return { step: Number(step), time };
}

async function lastSteps(db: Database, ids: SQL) {
  const fields = sql.join(
    SCALAR_FIELDS.map(({ name }) => sql`${step[name]}::float8 as ${sql.identifier(name)}`),
    sql`, `,
  );
  const { rows } = await db.sql.execute<Place & Record<(typeof SCALAR_FIELDS)[number]['name'], number | null>>(sql`
    select listed.id as run, last.* from ${run} as listed cross join lateral (
      select ${step.step}, ${MILLISECONDS} as time, ${fields} from ${step} where ${step.run} = listed.id
      order by ${step.attempt} desc, ${step.step} desc limit ${SEARCHED_STEPS}
    ) as last where listed.id in (${ids})`);
  return rows;
}

async function lastScalars(db: Database, ids: SQL) {
  const { rows } = await db.sql.execute<Place & { name: string; value: number }>(sql`
    select sets.run, ${scalarName.name}, last.step, last.values[named.place] as value, ${MILLISECONDS} as time
    from ${scalarSet} as sets cross join lateral (
      select ${scalarValues.attempt}, ${scalarValues.step}, ${scalarValues.values}, ${scalarValues.version}
      from ${scalarValues} where ${scalarValues.run} = sets.run and ${scalarValues.set} = sets.id
      order by ${scalarValues.attempt} desc, ${scalarValues.step} desc limit 1
    ) as last cross join lateral unnest(sets.names) with ordinality as named (id, place)
    join ${scalarName} on ${scalarName.run} = sets.run and ${scalarName.id} = named.id
    join ${step} on ${step.run} = sets.run and ${step.attempt} = last.attempt and ${step.step} = last.step
    where sets.run in (${ids}) order by last.attempt desc, last.step desc, last.version desc`);
  return rows;
}
