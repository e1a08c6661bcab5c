import { scaleLinear, scaleLog } from 'd3-scale';
import { extentOf, linearRange, logRange } from './axis-range.ts';
import type { ChartView, Drawn } from './chart-view.ts';
import { bandPath, linePath, type Place } from './curve-path.ts';
import { X_LABELS, xTicks, yLabels, yTicks } from './plot.ts';
import type { XAxis } from './x-axis.ts';

/** Pixels that a chart has on a desktop: how many ticks there are depends on it, and nothing else. */
const USUAL = { width: 600, height: 220 };
/** In units finer than pixels, so that whole numbers do. */
export const SKETCH_SIZE = { width: 2_400, height: 1_000 };

interface Axes {
  log: boolean;
  /** First and last step of the x axis. */
  steps: readonly [number, number];
  xAxis: XAxis;
}

interface Tick {
  label: string;
  /** Share of the way from the left, or from below. */
  at: number;
}

/** A chart as data of SVG paths, in `SKETCH_SIZE` from the top left. */
export interface Sketch {
  /** What the x axis counts. */
  unit: string;
  columns: Tick[];
  rows: Tick[];
  grid: string;
  /** One for each of the view's bands, and of its lines. */
  bands: string[];
  lines: string[];
}

/** What a plot of `drawn` would show on these axes. */
export function sketchOf({ lines, bands }: ChartView, drawn: Drawn, { log, steps: [from, to], xAxis }: Axes): Sketch {
  const [min, max] = extentOf(drawn.lines.flat(), log) ?? [null, null];
  const [low, high] = (log ? logRange : linearRange)(min, max);
  const along = scaleLinear([xAxis.placeOf(from), xAxis.placeOf(to)], [0, 1]);
  const across = (step: number) => along(xAxis.placeOf(step));
  const up = log ? logShare(low, high) : scaleLinear([low, high], [0, 1]);
  const xs = drawn.steps.map((step) => toX(across(step)));
  const curves = drawn.lines.map((values) =>
    values.map((value, column): Place => (value == null ? value : [xs[column] ?? 0, toY(up(value))])),
  );
  const columns = xTicks(xAxis, from, to, USUAL.width).map(({ label, step }) => ({ label, at: across(step) }));
  const values = yTicks(log, low, high, USUAL.height);
  const rows = yLabels(values).map((label, at) => ({ label, at: up(values[at] ?? low) }));
  return {
    unit: X_LABELS[xAxis.unit],
    columns,
    rows,
    grid: gridPath(columns, rows),
    bands: bands.map(({ between: [one, other] }) => bandPath(curves[one] ?? [], curves[other] ?? [])),
    lines: lines.map(({ ink, spansGaps }, at) => (ink ? linePath(joined(curves[at] ?? [], spansGaps)) : '')),
  };
}

function joined(places: readonly Place[], spansGaps = false): readonly Place[] {
  return spansGaps ? places.filter((place) => place !== null) : places;
}

function gridPath(columns: readonly Tick[], rows: readonly Tick[]): string {
  const { width, height } = SKETCH_SIZE;
  return [
    ...columns.map(({ at }) => `M${toX(at)} 0v${height}`),
    ...rows.map(({ at }) => `M0 ${toY(at)}h${width}`),
  ].join('');
}

function toX(share: number): number {
  return Math.round(SKETCH_SIZE.width * share);
}

function toY(share: number): number {
  return Math.round(SKETCH_SIZE.height * (1 - share));
}

/** As uPlot has it, what is not positive stands a decade below the axis. */
function logShare(low: number, high: number): (value: number) => number {
  const shareOf = scaleLog([low, high], [0, 1]);
  return (value) => shareOf(value > 0 ? value : low / 10);
}
