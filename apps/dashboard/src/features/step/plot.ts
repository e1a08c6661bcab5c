import uPlot from 'uplot';
import { linearRange, logRange } from './axis-range.ts';
import { colours } from './palette.ts';
import type { PlotData } from './plot-data.ts';
import { formatTick, linearTicks, logTicks, WHOLE_INCREMENTS } from './ticks.ts';

/** Space left and right of every plot, the heatmap's too, so that steps stand above one another. */
export const GUTTER_LEFT = 72;
export const GUTTER_RIGHT = 14;
/** Charts that share it share the crosshair. */
export const CURSOR_GROUP = 'steps';

const FONT = '11px system-ui, sans-serif';
const MIN_DRAG = 5; // pixels; less is a click

export interface PlotHooks {
  view: () => [number, number];
  /** Draws below and above the lines. */
  drawUnder: (plot: uPlot) => void;
  drawOver: (plot: uPlot) => void;
  /** The column under the crosshair, or null. */
  hover: (column: number | null, plot: uPlot) => void;
  zoom: (from: number, to: number) => void;
  reset: () => void;
}

/** uPlot's picture of a metric: the mean as a line, minimum to maximum as a band, the deviation as a wider one. */
export function createPlot(target: HTMLElement, log: boolean, hooks: PlotHooks): uPlot {
  const options: uPlot.Options = {
    width: target.clientWidth,
    height: target.clientHeight,
    padding: [8, GUTTER_RIGHT, 0, 0],
    pxAlign: 0, // whole pixels would turn a slow rise into stairs
    legend: { show: false },
    scales: {
      x: { time: false, range: () => hooks.view() },
      y: log
        ? { distr: 3, range: (_, low, high) => logRange(low, high) }
        : { range: (_, low, high) => linearRange(low, high) },
    },
    axes: [xAxis(), yAxis(log)],
    series: [{}, meanSeries(), edgeSeries(), edgeSeries(), hiddenSeries(), hiddenSeries()],
    bands: [
      { series: [5, 4], fill: () => colours().deviation },
      { series: [3, 2], fill: () => colours().band },
    ],
    cursor: cursor(hooks),
    hooks: {
      drawAxes: [hooks.drawUnder],
      draw: [hooks.drawOver],
      setCursor: [(plot) => hooks.hover(plot.cursor.idx ?? null, plot)],
      setSelect: [(plot) => select(plot, hooks)],
    },
  };
  return new uPlot(options, [[], [], [], [], [], []], target);
}

export function toAligned(data: PlotData): uPlot.AlignedData {
  return [data.steps, data.mean, data.low, data.high, data.deviationLow, data.deviationHigh];
}

function cursor(hooks: PlotHooks): uPlot.Cursor {
  return {
    y: false,
    drag: { x: true, y: false, setScale: false, dist: MIN_DRAG },
    points: { size: (_, series) => (series === 1 ? 6 : 0), fill: () => colours().line },
    sync: {
      key: CURSOR_GROUP,
      setSeries: false,
      scales: ['x', null],
      filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' },
    },
    bind: {
      dblclick: () => () => {
        hooks.reset();
        return null;
      },
    },
  };
}

function select(plot: uPlot, hooks: PlotHooks): void {
  const { left, width } = plot.select;
  if (width < MIN_DRAG) return;
  const from = Math.max(0, Math.floor(plot.posToVal(left, 'x')));
  const to = Math.ceil(plot.posToVal(left + width, 'x'));
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  hooks.zoom(from, to);
}

function meanSeries(): uPlot.Series {
  const colour = () => colours().line;
  return { stroke: colour, width: 1.5, points: { size: 4, fill: colour } };
}

/** Lowest and highest of each column: drawn themselves, so that one wild step in a million is seen. */
function edgeSeries(): uPlot.Series {
  return { stroke: () => colours().bandEdge, width: 1, points: { show: false } };
}

/** Bounds a band and draws nothing. */
function hiddenSeries(): uPlot.Series {
  return { stroke: 'transparent', width: 0, points: { show: false } };
}

function xAxis(): uPlot.Axis {
  return {
    ...axisLook(),
    label: 'step',
    labelSize: 16,
    labelGap: 0,
    labelFont: FONT,
    size: 24,
    space: 70,
    incrs: WHOLE_INCREMENTS,
    values: (_, splits, __, ___, increment) => splits.map((split) => formatTick(split, increment)),
  };
}

function yAxis(log: boolean): uPlot.Axis {
  const space = 34;
  const ticks = log ? logTicks : linearTicks;
  return {
    ...axisLook(),
    size: GUTTER_LEFT,
    space,
    // uPlot's own increments end at 1e32, and it draws no axis without one; the ticks below do not need it.
    incrs: (_, __, low, high) => [Math.max(10, high, high - low)],
    splits: (plot, _, low, high) => ticks(low, high, Math.max(2, plot.height / space)),
    filter: (_, splits) => splits, // every one of them gets its label
    values: (_, splits) => splits.map((split, at) => formatTick(split, gapAt(splits, at))),
  };
}

/** How far a tick is from the one below it, or the first from the one above. */
function gapAt(splits: readonly number[], at: number): number {
  const [low, high] = at === 0 ? [splits[0], splits[1]] : [splits[at - 1], splits[at]];
  return low === undefined || high === undefined ? Number.MIN_VALUE : high - low;
}

function axisLook(): uPlot.Axis {
  return {
    stroke: () => colours().muted,
    font: FONT,
    gap: 4,
    grid: { stroke: () => colours().grid, width: 1 },
    ticks: { stroke: () => colours().rule, width: 1, size: 4 },
  };
}

/** Moves the crosshair of every chart of the page to a step. */
export function placeCursors(step: number): void {
  for (const plot of uPlot.sync(CURSOR_GROUP).plots) plot.setCursor({ left: plot.valToPos(step, 'x'), top: 0 });
}
