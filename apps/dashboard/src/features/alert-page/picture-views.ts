import { findRule } from '@evenkeel/stability';
import { type MetricView, metricViews } from '../chart/metrics.ts';

const ALWAYS = ['loss', 'tevMean', 'gradVar'];

/** The charts of an alert's picture: these three, and that of the signal which its rule marks. */
export function pictureViews(rule: string): MetricView[] {
  const shown = [...ALWAYS, findRule(rule)?.marks ?? 'loss'];
  return metricViews(shown).filter(({ metric }) => shown.includes(metric));
}
