import { ALERT_STATUSES, type AlertStatus, SEVERITIES, type Severity } from '@evenkeel/protocol';
import { RULE_NAMES, type RuleName } from '@evenkeel/stability';
import { createLoader, type inferParserType, parseAsStringLiteral } from 'nuqs/server';
import { parseAsIntegerWithin, parseAsText } from '../../components/url-parsers.ts';

/** How many alerts a page of the inbox shows. */
export const INBOX_LIMIT = 100;
const MAX_SEARCH_LENGTH = 200;
const MAX_PAGE = 9_999;

const WITHIN_HOURS = { '1h': 1, '24h': 24, '7d': 168, '30d': 720 } as const;
export type Within = keyof typeof WITHIN_HOURS;
export const WITHINS = Object.keys(WITHIN_HOURS) as Within[];

export const INBOX_TABS = [...ALERT_STATUSES, 'all'] as const;
export type InboxTab = (typeof INBOX_TABS)[number];

/** The filters in the inbox's address. */
export const INBOX_FILTERS = {
  q: parseAsText,
  rule: parseAsStringLiteral(RULE_NAMES),
  severity: parseAsStringLiteral(SEVERITIES),
  project: parseAsText,
  within: parseAsStringLiteral(WITHINS),
};

/** All that the inbox's address asks for. */
export const INBOX_PARAMS = {
  ...INBOX_FILTERS,
  status: parseAsStringLiteral(INBOX_TABS).withDefault('open'),
  /** From 1. */
  page: parseAsIntegerWithin(1, MAX_PAGE).withDefault(1),
};
type InboxParams = inferParserType<typeof INBOX_PARAMS>;

/** Reads the search parameters on the server. */
export const loadInbox = createLoader(INBOX_PARAMS);

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

/** What to read for the inbox; server and browser ask for the same. */
export function inboxRequest(params: InboxParams): { filter: InboxFilter; request: InboxRequest } {
  const filter = filterOf(params);
  const status = params.status === 'all' ? [...ALERT_STATUSES] : [params.status];
  return { filter, request: { ...filter, status, limit: INBOX_LIMIT, offset: (params.page - 1) * INBOX_LIMIT } };
}

function filterOf({ q, rule, severity, project, within }: InboxParams): InboxFilter {
  const search = q?.trim().slice(0, MAX_SEARCH_LENGTH);
  return {
    ...(rule && { rule: [rule] }),
    ...(severity && { severity }),
    ...(project && { project }),
    ...(search && { search }),
    ...(within && { withinHours: WITHIN_HOURS[within] }),
  };
}
