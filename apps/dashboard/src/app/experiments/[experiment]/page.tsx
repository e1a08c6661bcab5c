import { notFound, redirect } from 'next/navigation';
import { getQueryClient, orNotFound, serverTRPC } from '../../../trpc/server.tsx';

interface Props {
  params: Promise<{ experiment: string }>;
}

/** Where a link to an experiment of MLflow leads: to the runs of the project that it is. The one that is always there is 0. */
export default async function Page({ params }: Props) {
  const { experiment } = await params;
  if (!/^\d{1,9}$/.test(experiment)) notFound();
  const project = experiment === '0' ? 'Default' : await nameOf(Number(experiment));
  redirect(`/?${new URLSearchParams({ project })}`);
}

async function nameOf(id: number): Promise<string> {
  const trpc = await serverTRPC();
  const query = trpc.project.numbered.queryOptions({ id }, { retry: false });
  return (await orNotFound(getQueryClient().fetchQuery(query))).name;
}
