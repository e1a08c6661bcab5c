import { skipToken } from '@tanstack/react-query';
import type { Queries } from '../../trpc/client.tsx';
import type { BoardRequest } from '../run/list-request.ts';

export const PAGE_RUNS = 100;
/** Values that a board is sorted or narrowed by change all the time; rows take their new places so seldom. */
const REORDER_EVERY_MS = 10_000;

/**
 * A page of the list; the first is page 0. By its number and not by cursor: the scrollbar goes anywhere, and a row is the
 * run of its number, also after others have begun.
 */
export function pageQuery(trpc: Queries, { filter, sort, group }: BoardRequest, page: number) {
  const input = { ...filter, sort, group, limit: PAGE_RUNS, offset: page * PAGE_RUNS };
  const moves = sort !== undefined || filter.risk !== undefined;
  return trpc.run.list.queryOptions(input, { refetchInterval: moves && REORDER_EVERY_MS });
}

export function countQuery(trpc: Queries, { filter, group }: BoardRequest) {
  return trpc.run.count.queryOptions(group ? skipToken : filter);
}

export function groupsQuery(trpc: Queries, { filter, group }: BoardRequest) {
  return trpc.run.groups.queryOptions(group ? { ...filter, group } : skipToken);
}
