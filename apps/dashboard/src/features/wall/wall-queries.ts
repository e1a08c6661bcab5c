import type { AppRouter } from '@evenkeel/api';
import type { TRPCOptionsProxy } from '@trpc/tanstack-react-query';
import type { BoardRequest } from '../run/list-request.ts';
import { MOST_TILES } from './tiles.ts';

/** Tiles take new places so seldom. */
const RANK_EVERY_MS = 5_000;

/** The runs among which a wall's are: each list is short, however many runs there are. It has statuses of its own. */
export function wallQueries(trpc: TRPCOptionsProxy<AppRouter>, { filter }: BoardRequest) {
  const list = (status: 'running' | 'ended', by: 'risk' | 'alerts' | 'ended') =>
    trpc.run.list.queryOptions(
      {
        ...filter,
        status: status === 'running' ? ['running'] : ['failed', 'stopped', 'lost'],
        sort: { by, descending: true },
        limit: MOST_TILES,
      },
      { refetchInterval: RANK_EVERY_MS },
    );
  return [list('running', 'risk'), list('running', 'alerts'), list('ended', 'ended')] as const;
}

export function runningQuery(trpc: TRPCOptionsProxy<AppRouter>, { filter }: BoardRequest) {
  return trpc.run.count.queryOptions({ ...filter, status: ['running'] }, { refetchInterval: RANK_EVERY_MS });
}
