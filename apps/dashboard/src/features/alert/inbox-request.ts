import { ALERT_STATUSES, type AlertStatus, SEVERITIES, type Severity } from '@evenkeel/protocol';
import { RULE_NAMES, type RuleName } from '@evenkeel/stability';

/** How many alerts a page of the inbox shows. */
export const INBOX_LIMIT = 100;
const MAX_SEARCH_LENGTH = 200;
const MAX_PAGE = 9_999;

const WITHIN_HOURS = { '1h': 1, '24h': 24, '7d': 168, '30d': 720 } as const;
export type Within = keyof typeof WITHIN_HOURS;
export const WITHINS = Object.keys(WITHIN_HOURS) as Within[];

export const INBOX_TABS = [...ALERT_STATUSES, 'all'] as const;
export type InboxTab = (typeof INBOX_TABS)[number];

export interface InboxFilter {
  rule?: RuleName[];
  severity?: Severity;
  project?: string;
  search?: string;
  withinHours?: number;
}

export interface InboxRequest extends InboxFilter {
  status: AlertStatus[];
  limit: number;
  offset: number;
}

/** What the inbox's address asks for. Server and browser read it alike, so that both speak of the same query. */
export function readInbox(params: URLSearchParams): { tab: InboxTab; filter: InboxFilter; request: InboxRequest } {
  const tab = INBOX_TABS.find((known) => known === params.get('status')) ?? 'open';
  const filter = readFilter(params);
  const status = tab === 'all' ? [...ALERT_STATUSES] : [tab];
  return {
    tab,
    filter,
    request: { ...filter, status, limit: INBOX_LIMIT, offset: (readPage(params) - 1) * INBOX_LIMIT },
  };
}

/** From 1. */
export function readPage(params: URLSearchParams): number {
  const page = Number(params.get('page') ?? 1);
  return Number.isInteger(page) && page >= 1 && page <= MAX_PAGE ? page : 1;
}

function readFilter(params: URLSearchParams): InboxFilter {
  const rule = RULE_NAMES.find((known) => known === params.get('rule'));
  const severity = SEVERITIES.find((known) => known === params.get('severity'));
  const project = params.get('project');
  const search = params.get('q')?.trim().slice(0, MAX_SEARCH_LENGTH);
  const within = WITHINS.find((known) => known === params.get('within'));
  return {
    ...(rule && { rule: [rule] }),
    ...(severity && { severity }),
    ...(project && { project }),
    ...(search && { search }),
    ...(within && { withinHours: WITHIN_HOURS[within] }),
  };
}
