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
  /** What is measured more seldom and drawn with it, and its name. */
  beside?: { metric: SeriesKey; name: string };
}

/** How a field of a step is drawn, where that is not as its row in `STEP_FIELDS` says. */
const DRAWN: Partial<Record<ChartMetric, Partial<MetricView>>> = {
  loss: { beside: { metric: `custom:${EVAL_LOSS}`, name: 'evaluation' } },
  tevMean: { title: 'TEV, mean ± deviation', deviation: 'tevStd' },
  gradVar: { scale: 'log' },
  gradNorm: { scale: 'log' },
  lr: { scale: 'linear' },
};

/** A chart for every field that has one, but those that are drawn as another's deviation. */
export const METRIC_VIEWS: readonly MetricView[] = CHARTED_FIELDS.filter(
  ({ name }) => !Object.values(DRAWN).some(({ deviation }) => deviation === name),
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

/** The charts of a run that has these series: without what it has nothing of to draw beside a line. */
export function metricViews(known: readonly string[]): MetricView[] {
  return METRIC_VIEWS.map(({ beside, ...view }) =>
    beside && known.includes(beside.metric) ? { ...view, beside } : view,
  );
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
