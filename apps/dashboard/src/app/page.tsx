import { Board } from '../features/run/board.tsx';
import { countQuery, groupsQuery, pageQuery } from '../features/run/board-queries.ts';
import { type BoardRequest, readBoardRequest } from '../features/run/list-request.ts';
import { Wall } from '../features/wall/wall.tsx';
import { runningQuery, wallQueries } from '../features/wall/wall-queries.ts';
import { getQueryClient, Hydrate, searchParamsOf, serverTRPC } from '../trpc/server.tsx';

interface Props {
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}

export default async function Page({ searchParams }: Props) {
  const params = await searchParamsOf(searchParams);
  const request = readBoardRequest(params);
  const wall = params.has('wall');
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
