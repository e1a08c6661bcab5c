import type { Metadata } from 'next';
import type { SearchParams } from 'nuqs/server';
import { Inbox } from '../../features/inbox/inbox.tsx';
import { inboxRequest, loadInbox } from '../../features/inbox/inbox-request.ts';
import { getQueryClient, Hydrate, serverTRPC } from '../../trpc/server.tsx';

export const metadata: Metadata = { title: 'Alerts' };

interface Props {
  searchParams: Promise<SearchParams>;
}

export default async function Page({ searchParams }: Props) {
  const { filter, request } = inboxRequest(await loadInbox(searchParams));
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
