import type { Queries } from '../../trpc/client.tsx';
import type { BoardRequest } from '../run/list-request.ts';
import { MAX_TILES } from './tiles.ts';

/** Tiles take new places so seldom. */
const RANK_EVERY_MS = 5_000;

/** The runs among which a wall's are: each list is short, however many runs there are. It has statuses of its own. */
export function wallQueries(trpc: Queries, { filter }: BoardRequest) {
  const list = (status: 'running' | 'ended', by: 'risk' | 'alerts' | 'ended') =>
    trpc.run.list.queryOptions(
      {
        ...filter,
        status: status === 'running' ? ['running'] : ['failed', 'stopped', 'lost'],
        sort: { by, descending: true },
        limit: MAX_TILES,
      },
      { refetchInterval: RANK_EVERY_MS },
    );
  return [list('running', 'risk'), list('running', 'alerts'), list('ended', 'ended')] as const;
}

export function runningQuery(trpc: Queries, { filter }: BoardRequest) {
  return trpc.run.count.queryOptions({ ...filter, status: ['running'] }, { refetchInterval: RANK_EVERY_MS });
}
