import {
  type ConfigFilter,
  MAX_CONFIG_FILTERS,
  MAX_NAME_LENGTH,
  RUN_STATUSES,
  readConfigFilters,
  readPath,
  writeConfigFilters,
  writePath,
} from '@evenkeel/protocol';
import {
  createLoader,
  createParser,
  createSerializer,
  type inferParserType,
  parseAsArrayOf,
  parseAsIsoDate,
  parseAsStringLiteral,
} from 'nuqs/server';
import { parseAsNumberWithin, parseAsOrder, parseAsPresence, parseAsText } from '../../components/url-parsers.ts';
import type { RunInputs } from '../../trpc/client.tsx';

type RunFilter = NonNullable<RunInputs['count']>;
export type Sort = NonNullable<RunInputs['list']['sort']>;

/** What the board's address asks for. */
export interface BoardRequest {
  filter: RunFilter;
  sort?: Sort;
  /** Keys that lead to the value of the configuration that runs stand together by. */
  group?: string[];
}

/** By which a board can be sorted, and whether the greatest is what one looks for first. */
const GREATEST_FIRST: Record<Sort['by'], boolean> = {
  ...{ started: true, ended: true, step: true, loss: false, tev: true, risk: true, alerts: true },
  ...{ name: false, project: false, status: false, owner: false },
};

/** A day such as 2026-01-31, from year 1, and nothing behind it, which nuqs's own parser ignores. */
const day = createParser({
  parse: (text) => (/^(?!0000)\d{4}-\d\d-\d\d$/.test(text) && parseAsIsoDate.parse(text) ? text : null),
  serialize: String,
});

const configFilters = createParser<ConfigFilter[]>({
  parse: (text) =>
    readConfigFilters(text)
      .filter((filter) => filter !== null)
      .slice(0, MAX_CONFIG_FILTERS),
  serialize: writeConfigFilters,
  eq: (one, other) => writeConfigFilters(one) === writeConfigFilters(other),
});

/** Keys that lead to a value of the configuration. */
export const configPath = createParser<string[]>({
  parse: (text) => {
    const path = readPath(text);
    return path.length > 0 ? path : null;
  },
  serialize: writePath,
});

/** The filters in the board's address. */
export const FILTER_PARAMS = {
  q: parseAsText,
  status: parseAsArrayOf(parseAsStringLiteral(RUN_STATUSES)).withDefault([]),
  project: parseAsText,
  tag: parseAsText,
  config: configFilters.withDefault([]),
  /** The min risk of divergence. */
  risk: parseAsNumberWithin(0, 1),
  /** Hours since the run's beginning. */
  within: parseAsNumberWithin(0, 1_000_000),
  /** From the first moment of the day in UTC. */
  from: day,
  before: day,
  archived: parseAsPresence,
};

/** All that the board's address asks for, in the order in which it is written. */
export const BOARD_PARAMS = {
  ...FILTER_PARAMS,
  sort: parseAsOrder(Object.keys(GREATEST_FIRST) as Sort['by'][]),
  group: configPath,
};
export type BoardParams = inferParserType<typeof BOARD_PARAMS>;

const PAGE_PARAMS = {
  ...BOARD_PARAMS,
  /** Whether to show the runs as the wall's tiles. */
  wall: parseAsPresence,
};

/** Reads search parameters on the server, and those of views. */
export const loadBoard = createLoader(PAGE_PARAMS);

/** The address of the board as the parameters have it. */
export const boardAddress = createSerializer<typeof PAGE_PARAMS, string>(PAGE_PARAMS);

/** The query of a view, without the question mark: the same view has the same query, however an address is written. */
export function boardQuery(params: BoardParams): string {
  return serializeView(params).slice(1);
}

const serializeView = createSerializer(BOARD_PARAMS);

/** What to read for the board; server and browser ask for the same. */
export function boardRequest(params: BoardParams): BoardRequest {
  const { sort, group } = params;
  return { filter: filterOf(params), ...(sort && { sort }), ...(group && { group }) };
}

/** Whether there may be runs that the request leaves out. */
export function isNarrowed({ filter }: BoardRequest): boolean {
  return Object.values(filter).some((value) => value !== undefined);
}

function filterOf(params: BoardParams): RunFilter {
  const text = (value: string | null) => value?.trim().slice(0, MAX_NAME_LENGTH) || undefined;
  const status = RUN_STATUSES.filter((known) => params.status.includes(known));
  return {
    search: text(params.q),
    status: status.length > 0 ? status : undefined,
    project: text(params.project),
    tag: text(params.tag),
    config: params.config.length > 0 ? params.config : undefined,
    risk: params.risk ?? undefined,
    startedWithin: params.within ?? undefined,
    startedFrom: params.from === null ? undefined : new Date(params.from),
    startedBefore: params.before === null ? undefined : new Date(params.before),
    archived: params.archived ?? undefined,
  };
}

/** A click on a column: sorted by it, then the other way round, then as it was. */
export function nextSort(by: Sort['by'], sort: Sort | null): Sort | null {
  const first = GREATEST_FIRST[by];
  if (sort?.by !== by) return { by, descending: first };
  return sort.descending === first ? { by, descending: !first } : null;
}
