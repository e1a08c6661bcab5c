import type { Metadata } from 'next';
import { Inbox } from '../../features/alert/inbox.tsx';
import { readInbox } from '../../features/alert/inbox-request.ts';
import { getQueryClient, Hydrate, searchParamsOf, serverTRPC } from '../../trpc/server.tsx';

export const metadata: Metadata = { title: 'Alerts' };

interface Props {
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}

export default async function Page({ searchParams }: Props) {
  const { filter, request } = readInbox(await searchParamsOf(searchParams));
  const trpc = await serverTRPC();
  const queries = getQueryClient();
  await Promise.all([
    queries.prefetchQuery(trpc.alert.list.queryOptions(request)),
    queries.prefetchQuery(trpc.alert.count.queryOptions(filter)),
    queries.prefetchQuery(trpc.project.list.queryOptions()),
  ]);
  return (
    <Hydrate>
      <Inbox />
    </Hydrate>
  );
}
