import { Board } from '../features/run/board.tsx';
import { readListRequest } from '../features/run/list-request.ts';
import { getQueryClient, Hydrate, searchParamsOf, serverTRPC } from '../trpc/server.tsx';

interface Props {
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}

export default async function Page({ searchParams }: Props) {
  const request = readListRequest(await searchParamsOf(searchParams));
  const trpc = await serverTRPC();
  await getQueryClient().prefetchQuery(trpc.run.list.queryOptions(request));
  return (
    <Hydrate>
      <Board />
    </Hydrate>
  );
}
