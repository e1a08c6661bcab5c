import type { SearchParams } from 'nuqs/server';
import { Board } from '../features/board/board.tsx';
import { countQuery, groupsQuery, pageQuery } from '../features/board/board-queries.ts';
import { type BoardRequest, boardRequest, loadBoard } from '../features/run/list-request.ts';
import { Wall } from '../features/wall/wall.tsx';
import { runningQuery, wallQueries } from '../features/wall/wall-queries.ts';
import { getQueryClient, Hydrate, serverTRPC } from '../trpc/server.tsx';

interface Props {
  searchParams: Promise<SearchParams>;
}

export default async function Page({ searchParams }: Props) {
  const { wall, ...params } = await loadBoard(searchParams);
  const request = boardRequest(params);
  await (wall ? readWall(request) : readBoard(request));
  return <Hydrate>{wall ? <Wall /> : <Board />}</Hydrate>;
}

async function readBoard(request: BoardRequest): Promise<void> {
  const trpc = await serverTRPC();
  const queries = getQueryClient();
  await Promise.all([
    queries.prefetchQuery(trpc.view.list.queryOptions()),
    queries.prefetchQuery(pageQuery(trpc, request, 0)),
    request.group
      ? queries.prefetchQuery(groupsQuery(trpc, request))
      : queries.prefetchQuery(countQuery(trpc, request)),
  ]);
}

async function readWall(request: BoardRequest): Promise<void> {
  const trpc = await serverTRPC();
  const queries = getQueryClient();
  const lists = wallQueries(trpc, request).map((list) => queries.prefetchQuery(list));
  await Promise.all([...lists, queries.prefetchQuery(runningQuery(trpc, request))]);
}
