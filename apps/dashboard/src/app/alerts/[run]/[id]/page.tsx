import type { Metadata } from 'next';
import type { SearchParams } from 'nuqs/server';
import { cache } from 'react';
import { AlertPage } from '../../../../features/alert-page/alert-page.tsx';
import { pictureRange, pictureRequest } from '../../../../features/alert-page/picture-range.ts';
import { loadView, stepRange } from '../../../../features/chart/view-params.ts';
import { getQueryClient, Hydrate, orNotFound, readInTime, serverTRPC } from '../../../../trpc/server.tsx';

interface Props {
  params: Promise<{ run: string; id: string }>;
  searchParams: Promise<SearchParams>;
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

export default async function Page({ params, searchParams }: Props) {
  const asked = await params;
  const alert = await getAlert(asked.run, asked.id);
  const { run, id } = alert;
  const request = pictureRequest(alert, pictureRange(alert, stepRange(await loadView(searchParams))));
  const trpc = await serverTRPC();
  const queries = getQueryClient();
  const [isSketched] = await Promise.all([
    readInTime(queries.prefetchQuery(trpc.step.chart.queryOptions(request))),
    queries.prefetchQuery(trpc.run.get.queryOptions({ run })),
    queries.prefetchQuery(trpc.run.commands.queryOptions({ run, alert: id })),
  ]);
  void queries.prefetchQuery(trpc.step.forecasts.queryOptions(request)); // streams after the page
  return (
    <Hydrate>
      <AlertPage key={id} run={run} id={id} isSketched={isSketched} />
    </Hydrate>
  );
}
