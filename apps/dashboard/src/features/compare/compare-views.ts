import type { SeriesKey } from '../../trpc/client.tsx';
import { METRIC_VIEWS, type MetricView } from '../step/metrics.ts';

/** What every comparison draws: a line for each run, and so nothing beside a metric or around it. */
const VIEWS: readonly MetricView[] = METRIC_VIEWS.flatMap(({ deviation, beside, ...view }) => [
  deviation ? { ...view, title: 'TEV, mean' } : view,
  ...(beside ? [{ metric: beside.metric, title: 'Evaluation loss', unit: view.unit, scale: view.scale }] : []),
]);

export const COMPARE_SERIES: readonly SeriesKey[] = VIEWS.map(({ metric }) => metric);

/** Those of which there is something to draw: not every run tells its evaluation loss. */
export function compareViews(customNames: readonly string[]): MetricView[] {
  const known = new Set<string>(customNames.map((name) => `custom:${name}`));
  return VIEWS.filter(({ metric }) => !metric.startsWith('custom:') || known.has(metric));
}
