import { CHART_METRICS, type ChartMetric, step } from './schema.ts';

/** What a chart has a series of: a scalar of every step, or a custom scalar by its name. */
export type SeriesKey = ChartMetric | `custom:${string}`;

/** A metric's place in the arrays of `rollup`; null where the run has no such custom scalar. */
export function metricOf(key: SeriesKey, customNames: readonly string[]): number | null {
  if (!key.startsWith('custom:')) return CHART_METRICS.indexOf(key as ChartMetric);
  const at = customNames.indexOf(key.slice('custom:'.length));
  return at < 0 ? null : CHART_METRICS.length + at;
}

/** The place of every metric that a run may have. */
export function allMetrics(customNames: readonly string[]): number[] {
  return Array.from({ length: CHART_METRICS.length + customNames.length }, (_, at) => at);
}

/** The metric of a raw step, as SQL. */
export function metricSql(metric: number): string {
  const name = CHART_METRICS[metric];
  return name ? step[name].name : `${step.custom.name}[${metric - CHART_METRICS.length + 1}]::float8`;
}
