import { type ClientRun, type Database, type LatestValues, latestValues, pageClientRuns } from '@evenkeel/db';
import { projectsOf } from './experiments.ts';
import { type Facts, inOrder, meets, type OrderKey, type OrderValues, parseFilter, parseOrder } from './filter.ts';
import { byClientNames } from './names.ts';
import { infoOf, paramsOf, runJson, tagsOf } from './run-json.ts';

/** Runs that one answer holds, whatever is asked for: clients ask for the next page. */
const MAX_RESULTS = 1_000;
/** Runs that are read at once. */
const CHUNK = 200;

/** What to search among runs. */
export interface RunSearch {
  experimentIds: readonly string[];
  filter: string;
  orderBy: readonly string[];
  maxResults: number;
  /** How many of the runs found were in the answers before. */
  offset: number;
  /** Archived runs alone, or none of them; left out for all. */
  archived: boolean | undefined;
  /** Only runs of this ingest key; left out for all. */
  key: string | null | undefined;
}

interface Match {
  id: string;
  values: OrderValues;
}

/** The runs that meet a filter, the newest first unless an order is given. */
export async function searchRuns(db: Database, search: RunSearch) {
  const order = search.orderBy.map(parseOrder);
  const limit = Math.min(search.maxResults, MAX_RESULTS);
  const end = search.offset + limit;
  const matches = await findMatches(db, search, order, end + 1);
  if (order.length > 0) matches.sort((a, b) => inOrder(order, a.values, b.values));
  const page = matches.slice(search.offset, end).map(({ id }) => id);
  const runs = await runsOf(db, page, search.key);
  return { runs, ...(matches.length > end && { next_page_token: String(end) }) };
}

/** Without an order no more than `enough`. */
async function findMatches(
  db: Database,
  search: RunSearch,
  order: readonly OrderKey[],
  enough: number,
): Promise<Match[]> {
  const conditions = parseFilter(search.filter);
  const subjects = [...conditions, ...order].map(({ subject }) => subject);
  const needsMetrics = subjects.some(({ kind }) => kind === 'metric');
  const { archived, key } = search;
  const query = { projects: await projectsOf(db, search.experimentIds), archived, key, limit: CHUNK };
  const matches: Match[] = [];
  let cursor: string | undefined;
  do {
    const { rows, nextCursor } = await pageClientRuns(db, { ...query, cursor });
    const latest = await latestValues(db, needsMetrics ? rows.map(({ id }) => id) : []);
    for (const run of rows) {
      const facts = factsOf(run, latest.get(run.id));
      if (meets(conditions, facts)) matches.push({ id: run.id, values: order.map(({ subject }) => facts(subject)) });
    }
    cursor = nextCursor ?? undefined;
  } while (cursor !== undefined && (order.length > 0 || matches.length < enough));
  return matches;
}

/** In the order of the ids. */
async function runsOf(db: Database, ids: readonly string[], key: string | null | undefined) {
  const runs = new Map<string, ReturnType<typeof runJson>>();
  for (let at = 0; at < ids.length; at += CHUNK) {
    const part = ids.slice(at, at + CHUNK);
    const { rows } = await pageClientRuns(db, { ids: part, key, limit: part.length });
    const latest = await latestValues(db, part);
    for (const run of rows) runs.set(run.id, runJson(run, valuesOf(latest, run.id)));
  }
  return ids.flatMap((id) => runs.get(id) ?? []);
}

export function valuesOf(latest: ReadonlyMap<string, LatestValues>, id: string): LatestValues {
  const values = latest.get(id);
  if (!values) throw new Error(`the values of run ${id} were not read`);
  return values;
}

function factsOf(run: ClientRun, values: LatestValues | undefined): Facts {
  const metrics = values && byClientNames(run.names, values);
  const [params, tags, info] = [paramsOf(run), tagsOf(run), infoOf(run)];
  const attributes: Record<string, string | number | undefined> = { ...info, created: info.start_time };
  const own = (values: Record<string, string | number | undefined>, name: string) =>
    (Object.hasOwn(values, name) ? values[name] : null) ?? null;
  return ({ kind, name }) => {
    if (kind === 'metric') return metrics?.get(name)?.value ?? null;
    if (kind === 'param') return own(params, name);
    return kind === 'tag' ? own(tags, name) : own(attributes, name);
  };
}
