import type { Metadata } from 'next';
import { cache } from 'react';
import { RunPage } from '../../../features/run/run-page.tsx';
import { ARRAY_COLUMNS, CHART_COLUMNS } from '../../../features/step/feed.ts';
import { METRIC_SERIES } from '../../../features/step/metrics.ts';
import { CUSTOM_PAGE, customNamesRequest, readCustom, readRange } from '../../../features/step/view-params.ts';
import { getQueryClient, Hydrate, orNotFound, readInTime, searchParamsOf, serverTRPC } from '../../../trpc/server.tsx';

interface Props {
  params: Promise<{ run: string }>;
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}

/** Once a request, for the title and the page. */
const getRun = cache(async (run: string) => {
  const trpc = await serverTRPC();
  return orNotFound(getQueryClient().fetchQuery(trpc.run.get.queryOptions({ run }, { retry: false })));
});

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { name } = await getRun((await params).run);
  return { title: name };
}

export default async function Page({ params, searchParams }: Props) {
  const { id: run } = await getRun((await params).run);
  const address = await searchParamsOf(searchParams);
  const { from, to } = readRange(address);
  const names = customNamesRequest(run, address, readCustom(address, CUSTOM_PAGE));
  const trpc = await serverTRPC();
  const queries = getQueryClient();
  const shown = { run, from, to };
  const series = [...METRIC_SERIES];
  const chart = queries.prefetchQuery(trpc.step.chart.queryOptions({ ...shown, columns: CHART_COLUMNS, series }));
  const [isSketched] = await Promise.all([
    readInTime(chart),
    queries.prefetchQuery(trpc.alert.list.queryOptions({ run })),
    queries.prefetchQuery(trpc.run.commands.queryOptions({ run })),
    queries.prefetchQuery(trpc.run.history.queryOptions({ run })),
    queries.prefetchQuery(trpc.run.customNames.queryOptions(names)),
  ]);
  // Not awaited: the page comes without them, and they stream after it.
  void queries.prefetchQuery(trpc.step.forecasts.queryOptions({ ...shown, columns: CHART_COLUMNS }));
  void queries.prefetchQuery(trpc.step.array.queryOptions({ ...shown, columns: ARRAY_COLUMNS, array: 'layerGradVar' }));
  return (
    <Hydrate>
      <RunPage key={run} id={run} isSketched={isSketched} />
    </Hydrate>
  );
}
