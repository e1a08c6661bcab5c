import { CHARTED_FIELDS, type ChartMetric, EVAL_LOSS, type RunNames } from '@evenkeel/protocol';
import type { SeriesKey } from '../../trpc/client.tsx';

export interface MetricView {
  metric: SeriesKey;
  title: string;
  unit: string | null;
  /** The y axis until somebody asks for another; `auto` is linear until the line spans decades. */
  scale: 'linear' | 'log' | 'auto';
  /** The metric that holds this one's standard deviation. */
  deviation?: SeriesKey;
  /** What not every run reports and is drawn with it, and its name. */
  beside?: { metric: SeriesKey; name: string; title: string; isSeldom: boolean };
}

/** How a field of a step is drawn, where that is not as its row in `STEP_FIELDS` says. */
const DRAWN: Partial<Record<ChartMetric, Partial<MetricView>>> = {
  loss: { beside: { metric: `custom:${EVAL_LOSS}`, name: 'evaluation', title: 'Evaluation loss', isSeldom: true } },
  tevMean: { title: 'TEV, mean ± deviation', deviation: 'tevStd' },
  gradVar: { scale: 'log' },
  gradNorm: { scale: 'log' },
  lr: { beside: { metric: 'lrAhead', name: 'in 20 steps', title: 'Learning rate ahead', isSeldom: false } },
};

const DRAWN_WITH_ANOTHER = Object.values(DRAWN).flatMap(({ deviation, beside }) => [deviation, beside?.metric]);

/** A chart for every field that has one, but those that are drawn in another's. */
export const METRIC_VIEWS: readonly MetricView[] = CHARTED_FIELDS.filter(
  ({ name }) => !DRAWN_WITH_ANOTHER.includes(name),
).map(({ name, title, unit }) => ({ metric: name, title, unit, scale: 'auto', ...DRAWN[name] }));

/** What the charts above read. */
export const METRIC_SERIES: readonly SeriesKey[] = METRIC_VIEWS.flatMap(({ metric, deviation, beside }) =>
  [metric, deviation, beside?.metric].filter((key) => key !== undefined),
);

/** Of the custom scalars that our own trainer sends, or that many name alike. */
const CUSTOM_UNITS = new Map([
  ['gradNoiseScale', 'sequences'],
  ['tokensPerSecond', 'tokens/s'],
  ['memoryBytes', 'bytes'],
]);

/** The fields of {@link CHARTED_FIELDS} that not every run has a chart of. */
export const WHERE_REPORTED = CHARTED_FIELDS.filter(({ charted }) => charted === 'where reported').map(
  ({ name }) => name,
);

/** Whether a chart is shown whatever a run reports. */
export function isAlwaysShown(metric: SeriesKey): boolean {
  return !metric.startsWith('custom:') && !WHERE_REPORTED.some((name) => name === metric);
}

/** The charts of a run that has these series: without what it has nothing of to draw. */
export function metricViews(known: readonly string[]): MetricView[] {
  const shown = METRIC_VIEWS.filter(({ metric }) => isAlwaysShown(metric) || known.includes(metric));
  return shown.map(({ beside, ...view }) => (beside && known.includes(beside.metric) ? { ...view, beside } : view));
}

/** The names under which a trainer reports what a chart shows, where they are others: `train/loss, eval/loss`. */
export function reportedNames({ metric, deviation, beside }: MetricView, names: RunNames): string | undefined {
  const shown: readonly (string | undefined)[] = [metric, deviation, beside && EVAL_LOSS];
  const reported = Object.entries(names).filter(([target, name]) => shown.includes(target) && name !== target);
  return reported.map(([, name]) => name).join(', ') || undefined;
}

/** Custom scalars that have their place above. */
export const PLACED_CUSTOM = [EVAL_LOSS];

export function customViews(names: readonly string[]): MetricView[] {
  return names.map((name) => ({
    metric: `custom:${name}`,
    title: name,
    unit: CUSTOM_UNITS.get(name) ?? null,
    scale: 'auto',
  }));
}

/** A row for each line: also for what is drawn beside another. */
export function withBeside(views: readonly MetricView[]): MetricView[] {
  return views.flatMap((view) => {
    const { beside, title, unit, scale } = view;
    return beside ? [view, { metric: beside.metric, title: `${title}, ${beside.name}`, unit, scale }] : [view];
  });
}
