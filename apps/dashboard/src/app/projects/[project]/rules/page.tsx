import type { Metadata } from 'next';
import { notFound } from 'next/navigation';
import { RulesPage } from '../../../../features/rule/rules-page.tsx';
import { getQueryClient, Hydrate, serverTRPC } from '../../../../trpc/server.tsx';

interface Props {
  params: Promise<{ project: string }>;
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  return { title: `Rules of ${decodeURIComponent((await params).project)}` };
}

export default async function Page({ params }: Props) {
  const project = decodeURIComponent((await params).project);
  const trpc = await serverTRPC();
  const known = await getQueryClient().fetchQuery(trpc.project.list.queryOptions());
  if (!known.includes(project)) notFound();
  await Promise.all([
    getQueryClient().prefetchQuery(trpc.project.rules.queryOptions({ project })),
    getQueryClient().prefetchQuery(trpc.project.record.queryOptions({ project })),
  ]);
  return (
    <Hydrate>
      <RulesPage key={project} project={project} />
    </Hydrate>
  );
}
