import type { Metadata } from 'next';
import { cache } from 'react';
import { AlertPage } from '../../../../features/alert/alert-page.tsx';
import { commandsRequest } from '../../../../features/alert/commands-request.ts';
import { getQueryClient, Hydrate, orNotFound, serverTRPC } from '../../../../trpc/server.tsx';

interface Props {
  params: Promise<{ run: string; id: string }>;
}

/** Once a request, for the title and the page. */
const getAlert = cache(async (run: string, id: string) => {
  const trpc = await serverTRPC();
  return orNotFound(getQueryClient().fetchQuery(trpc.alert.get.queryOptions({ run, id }, { retry: false })));
});

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { run, id } = await params;
  const { rule, step, runName } = await getAlert(run, id);
  return { title: `${rule} at step ${step} of ${runName}` };
}

export default async function Page({ params }: Props) {
  const asked = await params;
  const { run, id } = await getAlert(asked.run, asked.id);
  const trpc = await serverTRPC();
  const queries = getQueryClient();
  await Promise.all([
    queries.prefetchQuery(trpc.run.get.queryOptions({ run })),
    queries.prefetchQuery(trpc.run.commands.queryOptions(commandsRequest(run))),
  ]);
  return (
    <Hydrate>
      <AlertPage key={id} run={run} id={id} />
    </Hydrate>
  );
}
