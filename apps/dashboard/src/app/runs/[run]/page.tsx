import type { Metadata } from 'next';
import type { SearchParams } from 'nuqs/server';
import { cache } from 'react';
import { ARRAY_COLUMNS, CHART_COLUMNS } from '../../../features/chart/feed.ts';
import { METRIC_SERIES } from '../../../features/chart/metrics.ts';
import { CUSTOM_PAGE, loadView, runNamesRequest, stepRange } from '../../../features/chart/view-params.ts';
import { consoleRequest, isReadFirst } from '../../../features/console/console-request.ts';
import { RunPage } from '../../../features/run-page/run-page.tsx';
import { getQueryClient, Hydrate, orNotFound, readInTime, serverTRPC } from '../../../trpc/server.tsx';

interface Props {
  params: Promise<{ run: string }>;
  searchParams: Promise<SearchParams>;
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
  const { id: run, status } = await getRun((await params).run);
  const view = await loadView(searchParams);
  const { from, to } = stepRange(view);
  const names = runNamesRequest(run, view.scalar, view.custom ?? CUSTOM_PAGE);
  const trpc = await serverTRPC();
  const queries = getQueryClient();
  const shown = { run, from, to };
  const series = [...METRIC_SERIES];
  const chart = queries.prefetchQuery(trpc.step.chart.queryOptions({ ...shown, columns: CHART_COLUMNS, series }));
  const output = queries.prefetchQuery(trpc.console.lines.queryOptions(consoleRequest(run)));
  const [isSketched] = await Promise.all([
    readInTime(chart),
    queries.prefetchQuery(trpc.alert.list.queryOptions({ run })),
    queries.prefetchQuery(trpc.run.commands.queryOptions({ run })),
    queries.prefetchQuery(trpc.run.history.queryOptions({ run })),
    queries.prefetchQuery(trpc.run.customNames.queryOptions(names)),
    isReadFirst(status) && output,
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
