import type uPlot from 'uplot';
import { formatNumber } from '../../format.ts';
import { positiveExtent } from './axis-range.ts';
import type { ChartView, Drawn } from './chart-view.ts';
import type { MetricView } from './metrics.ts';
import { colours } from './palette.ts';
import { edgeLine, hiddenLine } from './plot.ts';
import { type PlotData, plotData } from './plot-data.ts';
import { smooth } from './smoothing.ts';

/** The place of each line, from 1 on: uPlot counts the steps as its series 0. */
const [LOW, HIGH, DEVIATION_LOW, DEVIATION_HIGH] = [2, 3, 4, 5];

/**
 * A metric's mean as a line, least to greatest as a band, its deviation as a wider one; smoothed where `halfLife`, in
 * steps, asks for it, with the mean behind.
 */
export function metricChart(view: MetricView, halfLife: number | null): ChartView {
  const { metric, title, unit, scale } = view;
  return {
    ...{ key: metric, title, unit, scale },
    ...(view.beside && { beside: view.beside.name }),
    series: [
      meanLine(halfLife !== null),
      edgeLine(),
      edgeLine(),
      hiddenLine(),
      hiddenLine(),
      ...(halfLife === null ? [] : [smoothLine()]),
      ...(view.beside ? [besideLine()] : []),
    ],
    bands: [
      { series: [DEVIATION_HIGH, DEVIATION_LOW], fill: () => colours().deviation },
      { series: [HIGH, LOW], fill: () => colours().band },
    ],
    read: ({ chart }) => draw(plotData(chart, view), view, halfLife, chart.columnSteps),
  };
}

function draw(data: PlotData, view: MetricView, halfLife: number | null, columnSteps: number): Drawn {
  const { steps, mean, low, high, deviationLow, deviationHigh, beside, nonFinite } = data;
  const smoothed = halfLife === null ? null : smooth(steps, mean, halfLife);
  return {
    steps,
    lines: [
      mean,
      low,
      high,
      deviationLow,
      deviationHigh,
      ...(smoothed ? [smoothed] : []),
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

/** What stands at a column; without one, the latest value. Every digit is in the table below the charts. */
function describe(data: PlotData, column: number | null, columnSteps: number): string {
  const value = data.mean[column ?? data.steps.length - 1] ?? null;
  if (column === null) return `latest ${columnSteps > 1 ? 'mean ' : ''}${finite(value, formatNumber(value, 4))}`;
  if (columnSteps === 1) return finite(value, formatNumber(value, 6));
  const [low, mean, high] = [data.low[column], value, data.high[column]].map((number) => formatNumber(number, 4));
  const lost = data.nonFinite[column] ? ` · ${data.nonFinite[column]} not finite` : '';
  return `${finite(value, `${low} to ${high}, mean ${mean}`)}${lost}`;
}

function finite(value: number | null, text: string): string {
  return value === null ? 'not finite' : text;
}

function meanLine(isBehind: boolean): uPlot.Series {
  const colour = () => (isBehind ? colours().bandEdge : colours().line);
  return { stroke: colour, width: isBehind ? 1 : 1.5, points: { size: 4, fill: colour } };
}

function smoothLine(): uPlot.Series {
  return { stroke: () => colours().line, width: 2, points: { show: false } };
}

/** Sparse, so its values are marked, and joined over the columns that have none. */
function besideLine(): uPlot.Series {
  const colour = () => colours().beside;
  return { stroke: colour, width: 1.5, dash: [5, 3], spanGaps: true, points: { show: true, size: 4, fill: colour } };
}
