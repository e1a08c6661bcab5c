import type { SeriesKey } from '../../trpc/client.tsx';
import { isAlwaysShown, METRIC_VIEWS, type MetricView } from '../chart/metrics.ts';

/** What every comparison draws: a line for each run, and so nothing beside a metric or around it. */
export const COMPARE_VIEWS: readonly MetricView[] = METRIC_VIEWS.flatMap(({ deviation, beside, ...view }) => [
  deviation ? { ...view, title: 'TEV, mean' } : view,
  ...(beside ? [{ metric: beside.metric, title: beside.title, unit: view.unit, scale: view.scale }] : []),
]);

export const COMPARE_SERIES: readonly SeriesKey[] = COMPARE_VIEWS.map(({ metric }) => metric);

/** Those of which there is something to draw among the series that runs have: not every run reports all. */
export function compareViews(known: readonly string[]): MetricView[] {
  return COMPARE_VIEWS.filter(({ metric }) => isAlwaysShown(metric) || known.includes(metric));
}
