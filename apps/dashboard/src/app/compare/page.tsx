import type { Metadata } from 'next';
import type { SearchParams } from 'nuqs/server';
import { ComparePage } from '../../features/compare/compare-page.tsx';
import { askedRuns, loadCompared } from '../../features/compare/compare-params.ts';
import { columnsQuery, extremesQuery, runQuery } from '../../features/compare/compare-queries.ts';
import { getQueryClient, Hydrate, serverTRPC } from '../../trpc/server.tsx';

export const metadata: Metadata = { title: 'Compare' };

interface Props {
  searchParams: Promise<SearchParams>;
}

export default async function Page({ searchParams }: Props) {
  const { ids } = askedRuns((await loadCompared(searchParams)).runs);
  const trpc = await serverTRPC();
  const queries = getQueryClient();
  const options = ids.map((id) => runQuery(trpc, id));
  await Promise.all(options.map((each) => queries.prefetchQuery(each)));
  const found = ids.filter((_, at) => queries.getQueryData(options[at]?.queryKey ?? []));
  // Awaited: tables and charts describe in text what was read, on the server as in the browser.
  await Promise.all(
    found.flatMap((run) => [
      queries.prefetchQuery(columnsQuery(trpc, { run, isLive: false }, {})),
      queries.prefetchQuery(extremesQuery(trpc, { run, isLive: false })),
    ]),
  );
  return (
    <Hydrate>
      <ComparePage />
    </Hydrate>
  );
}
