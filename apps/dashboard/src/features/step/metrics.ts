import type { Chart } from '../../trpc/client.tsx';

export type Metric = keyof Chart['series'];

export interface MetricView {
  metric: Metric;
  title: string;
  /** Loss is in nats; weights, and with them TEV, have no unit, so gradients are in nats too. */
  unit: string | null;
  /** The y axis until somebody asks for another; `auto` is linear until the line spans decades. */
  scale: 'linear' | 'log' | 'auto';
  /** The metric that holds this one's standard deviation. */
  deviation?: Metric;
}

export const METRIC_VIEWS: readonly MetricView[] = [
  { metric: 'loss', title: 'Loss', unit: 'nats', scale: 'auto' },
  { metric: 'tevMean', title: 'TEV, mean ± deviation', unit: null, scale: 'auto', deviation: 'tevStd' },
  { metric: 'gradVar', title: 'Gradient variance', unit: 'nats²', scale: 'log' },
  { metric: 'gradNorm', title: 'Gradient norm', unit: 'nats', scale: 'log' },
  { metric: 'lr', title: 'Learning rate', unit: null, scale: 'linear' },
];
