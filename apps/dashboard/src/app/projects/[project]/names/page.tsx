import type { Metadata } from 'next';
import { notFound } from 'next/navigation';
import type { SearchParams } from 'nuqs/server';
import { NamesPage } from '../../../../features/names/names-page.tsx';
import { loadNames, namesRequest } from '../../../../features/names/names-request.ts';
import { getQueryClient, Hydrate, serverTRPC } from '../../../../trpc/server.tsx';

interface Props {
  params: Promise<{ project: string }>;
  searchParams: Promise<SearchParams>;
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  return { title: `Names of ${decodeURIComponent((await params).project)}` };
}

export default async function Page({ params, searchParams }: Props) {
  const project = decodeURIComponent((await params).project);
  const { q } = await loadNames(searchParams);
  const trpc = await serverTRPC();
  const known = await getQueryClient().fetchQuery(trpc.project.list.queryOptions());
  if (!known.includes(project)) notFound();
  await getQueryClient().prefetchQuery(trpc.project.names.queryOptions(namesRequest(project, q)));
  return (
    <Hydrate>
      <NamesPage key={project} project={project} />
    </Hydrate>
  );
}
