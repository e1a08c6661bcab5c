import type { AppRouter } from '@evenkeel/api';
import { MAX_NAME_LENGTH, RUN_STATUSES } from '@evenkeel/protocol';
import type { inferRouterInputs } from '@trpc/server';

type Inputs = inferRouterInputs<AppRouter>['run'];
type RunFilter = NonNullable<Inputs['count']>;
export type Sort = NonNullable<Inputs['list']['sort']>;
export type ConfigFilter = NonNullable<RunFilter['config']>[number];

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

const MOST_CONFIG_FILTERS = 16;

/** Server and browser read the address alike, so that both speak of the same query. What makes no sense is left out. */
export function readBoardRequest(params: URLSearchParams): BoardRequest {
  const sort = readSort(params.get('sort') ?? '');
  const group = readPath(params.get('group') ?? '');
  return { filter: readFilter(params), ...(sort && { sort }), ...(group.length > 0 && { group }) };
}

/** The address without its filters; sort and group stay. */
export const NO_FILTERS = {
  ...{ q: null, status: null, project: null, tag: null, config: null, risk: null },
  ...{ within: null, from: null, before: null, archived: null },
};

/** What the address asks of the board and nothing else, in one order, so that the same view has the same query. */
export function writeBoardQuery(params: URLSearchParams): string {
  const names = [...Object.keys(NO_FILTERS), 'sort', 'group'].filter((name) => params.has(name));
  return new URLSearchParams(names.map((name) => [name, params.get(name) ?? ''])).toString();
}

/** Whether there may be runs that the request leaves out. */
export function isNarrowed({ filter }: BoardRequest): boolean {
  return Object.values(filter).some((value) => value !== undefined);
}

function readFilter(params: URLSearchParams): RunFilter {
  const text = (name: string) => params.get(name)?.trim().slice(0, MAX_NAME_LENGTH) || undefined;
  const statuses = (params.get('status') ?? '').split(',');
  const status = RUN_STATUSES.filter((known) => statuses.includes(known));
  const config = readConfigFilters(params.get('config') ?? '').slice(0, MOST_CONFIG_FILTERS);
  return {
    search: text('q'),
    status: status.length > 0 ? status : undefined,
    project: text('project'),
    tag: text('tag'),
    config: config.length > 0 ? config : undefined,
    risk: within(0, params.get('risk'), 1),
    startedWithin: within(0, params.get('within'), 1_000_000),
    startedFrom: readDay(params.get('from')),
    startedBefore: readDay(params.get('before')),
    archived: params.has('archived') || undefined,
  };
}

function readSort(text: string): Sort | undefined {
  const descending = text.startsWith('-');
  const name = text.slice(descending ? 1 : 0);
  const by = (Object.keys(GREATEST_FIRST) as Sort['by'][]).find((known) => known === name);
  return by && { by, descending };
}

/** A click on a column: sorted by it, then the other way round, then as it was. */
export function nextSort(by: Sort['by'], sort: Sort | undefined): string | null {
  const first = GREATEST_FIRST[by];
  if (sort?.by !== by) return writeSort({ by, descending: first });
  return sort.descending === first ? writeSort({ by, descending: !first }) : null;
}

function writeSort({ by, descending }: Sort): string {
  return descending ? `-${by}` : by;
}

function within(least: number, text: string | null, most: number): number | undefined {
  const value = Number(text);
  return text && value >= least && value <= most ? value : undefined;
}

/** A day such as 2026-01-31, from its first moment in UTC. */
function readDay(text: string | null): Date | undefined {
  const day = new Date(text && /^\d{4}-\d\d-\d\d$/.test(text) ? text : Number.NaN);
  return Number.isNaN(day.getTime()) ? undefined : day;
}

/** `model.layers=4,seed=1`; a backslash takes the meaning from the dot, comma, sign or backslash after it. */
export function readConfigFilters(text: string): ConfigFilter[] {
  return splitAt(text, ',').flatMap((part) => {
    const [key = '', ...value] = splitAt(part, '=');
    const path = readPath(key);
    return path.length > 0 && value.length > 0
      ? [{ path, value: unescaped(value.join('=')).slice(0, MAX_NAME_LENGTH) }]
      : [];
  });
}

export function writeConfigFilters(filters: readonly ConfigFilter[]): string {
  return filters.map(({ path, value }) => `${writePath(path)}=${value.replace(/[\\,]/g, '\\$&')}`).join(',');
}

/** The keys of `model.layers`, one after the other. */
export function readPath(text: string): string[] {
  const keys = splitAt(text.trim(), '.').map((key) => unescaped(key).slice(0, MAX_NAME_LENGTH));
  return keys.every((key) => key.length > 0) ? keys.slice(0, MOST_CONFIG_FILTERS) : [];
}

export function writePath(path: readonly string[]): string {
  return path.map((key) => key.replace(/[\\.,=]/g, '\\$&')).join('.');
}

/** Splits at every mark that no backslash stands before; backslashes stay. */
function splitAt(text: string, mark: string): string[] {
  const parts = [''];
  for (const [piece] of text.matchAll(/\\.|[^\\]|\\$/gsu)) {
    if (piece === mark) parts.push('');
    else parts[parts.length - 1] += piece;
  }
  return parts;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/gsu, '$1');
}
