import { formatNumber } from '../../components/format.ts';
import { positiveExtent } from './axis-range.ts';
import { type ChartView, type Drawn, EDGE, HIDDEN, type Line } from './chart-view.ts';
import type { MetricView } from './metrics.ts';
import { type PlotData, plotData } from './plot-data.ts';
import { smooth } from './smoothing.ts';

/** The places of the lines that bound a band. */
const [LOW, HIGH, DEVIATION_LOW, DEVIATION_HIGH] = [1, 2, 3, 4];
const SMOOTH: Line = { ink: 'line', width: 2, dots: 'never' };
/** Sparse, so its values are marked, and joined over the columns that have none. */
const BESIDE: Line = { ink: 'beside', width: 1.5, dash: [5, 3], spansGaps: true, dots: 'sparse' };
/** Of a few values a line alone would show nothing. */
const SELDOM: Line = { ...BESIDE, dots: 'always' };

/**
 * A metric's mean as a line, min to max as a band, its deviation as a wider one; smoothed where `halfLife`, in
 * steps, asks for it, with the mean behind.
 */
export function metricChart(view: MetricView, halfLife: number | null): ChartView {
  const { metric, title, unit, scale } = view;
  return {
    ...{ key: metric, title, unit, scale },
    ...(view.beside && { beside: view.beside.name }),
    lines: [
      meanLine(halfLife !== null),
      ...[EDGE, EDGE, HIDDEN, HIDDEN],
      ...(halfLife === null ? [] : [SMOOTH]),
      ...(view.beside ? [view.beside.isSeldom ? SELDOM : BESIDE] : []),
    ],
    bands: [
      { between: [DEVIATION_HIGH, DEVIATION_LOW], ink: 'deviation' },
      { between: [HIGH, LOW], ink: 'band' },
    ],
    read: ({ chart }) => draw(plotData(chart, view), view, halfLife, chart.columnSteps),
  };
}

function draw(data: PlotData, view: MetricView, halfLife: number | null, columnSteps: number): Drawn {
  const { steps, mean, low, high, deviationLow, deviationHigh, beside, nonFinite } = data;
  const smoothed = halfLife === null ? null : smooth(steps, mean, halfLife);
  const joined = (values: readonly (number | null)[]) => joinOver(values, nonFinite);
  return {
    steps,
    lines: [
      ...[mean, low, high].map(joined),
      deviationLow,
      deviationHigh,
      ...(smoothed ? [joined(smoothed)] : []),
      ...(view.beside ? [beside] : []),
    ],
    nonFinite,
    extent: positiveExtent(mean),
    words: (column) => {
      const at = column ?? steps.length - 1;
      const extra = [
        smoothed && smoothed[at] != null && `smoothed ${formatNumber(smoothed[at], 4)}`,
        view.beside && beside[at] != null && `${view.beside.name} ${formatNumber(beside[at], 4)}`,
      ];
      return [describe(data, column, columnSteps), ...extra.filter((words) => words)].join(' · ');
    },
  };
}

/** A line breaks where values were not finite, not where a column only carries what is drawn beside it. */
function joinOver(values: readonly (number | null)[], nonFinite: readonly number[]) {
  return values.map((value, at) => (value === null && !nonFinite[at] ? undefined : value));
}

/** What stands at a column; without one, the latest value. Every digit is in the table below the charts. */
function describe(data: PlotData, column: number | null, columnSteps: number): string {
  const at = column ?? data.mean.findLastIndex((mean, at) => mean !== null || data.nonFinite[at]);
  const value = data.mean[at] ?? null;
  if (value === null && !data.nonFinite[at]) return 'no value here';
  if (column === null) return `latest ${columnSteps > 1 ? 'mean ' : ''}${finite(value, formatNumber(value, 4))}`;
  if (columnSteps === 1) return finite(value, formatNumber(value, 6));
  const [low, mean, high] = [data.low[column], value, data.high[column]].map((number) => formatNumber(number, 4));
  const lost = data.nonFinite[column] ? ` · ${data.nonFinite[column]} not finite` : '';
  return `${finite(value, `${low} to ${high}, mean ${mean}`)}${lost}`;
}

function finite(value: number | null, text: string): string {
  return value === null ? 'not finite' : text;
}

function meanLine(isBehind: boolean): Line {
  return isBehind ? { ...EDGE, dots: 'sparse' } : { ink: 'line', width: 1.5, dots: 'sparse' };
}
