import { formatNumber } from '../../components/format.ts';
import type { ArrayChart } from '../../trpc/client.tsx';
import { positiveExtent } from './axis-range.ts';
import { type ChartView, type Drawn, HIDDEN } from './chart-view.ts';

/** Of the vocabulary, in per cent: where TEV's quantiles are taken. */
export const TEV_QUANTILES = [0, 1, 5, 25, 50, 75, 95, 99, 100];
const MEDIAN = 4;
const [MIN, LOWER, UPPER, MAX] = [0, 3, 5, 8];
/** Bands around the median, from the widest: all of the vocabulary, 98 %, 90 %, half of it. */
const BANDS: readonly (readonly [number, number])[] = [
  [MIN, MAX],
  [1, 7],
  [2, 6],
  [LOWER, UPPER],
];

/** How the TEV of the vocabulary's tokens is spread, step by step: the median, and bands that hold ever more of them. */
export const TEV_DISTRIBUTION: ChartView = {
  key: 'tevQuantiles',
  title: 'TEV of the vocabulary',
  unit: null,
  scale: 'auto',
  lines: TEV_QUANTILES.map((_, at) => (at === MEDIAN ? { ink: 'line', width: 1.5, dots: 'never' } : HIDDEN)),
  bands: BANDS.map(([low, high]) => ({ between: [high, low], ink: 'quantileBand' })),
  read: ({ arrays }) => draw(arrays.get('tevQuantiles') ?? { steps: [], values: [] }),
};

function draw({ steps, values }: ArrayChart): Drawn {
  const lines = TEV_QUANTILES.map((_, quantile) => values.map((column) => column[quantile] ?? null));
  return {
    steps,
    lines,
    nonFinite: values.map((column) => column.filter((value) => value === null).length),
    extent: positiveExtent([...(lines[MEDIAN] ?? []), ...(lines[MAX] ?? [])]),
    words: (column) => describe(values[column ?? values.length - 1] ?? []),
  };
}

function describe(column: readonly (number | null)[]): string {
  const [median, lower, upper, min, max] = [MEDIAN, LOWER, UPPER, MIN, MAX].map((at) => formatNumber(column[at], 3));
  return `median ${median}, half within ${lower} to ${upper}, all within ${min} to ${max}`;
}
