import uPlot from 'uplot';
import { type Extent, joinExtents, linearRange, logRange } from './axis-range.ts';
import type { Band, Line } from './chart-view.ts';
import { colors } from './palette.ts';
import { formatTick, linearTicks, logTicks } from './ticks.ts';
import type { XAxis, XUnit } from './x-axis.ts';

/** Space left and right of every plot, the heatmap's too, so that steps stand above one another. */
export const GUTTER_LEFT = 72;
export const GUTTER_RIGHT = 14;
/** Charts that share it share the crosshair. */
export const CURSOR_GROUP = 'steps';

/** Space above every plot, and below it for its x axis. */
export const GUTTER_TOP = 8;
export const GUTTER_BOTTOM = 40;
const X_LABEL = 16; // of what is below, what names the axis

const FONT = '11px system-ui, sans-serif';
const MIN_DRAG = 5; // pixels; less is a click

export interface PlotHooks {
  /** First and last step to show, and where steps stand between them. */
  view: () => [number, number];
  xAxis: () => XAxis;
  /** Min and max of what the y axis shows besides the lines; null where there is none. */
  extra?: () => Extent | null;
  /** Draws below and above the lines. */
  drawUnder: (plot: uPlot) => void;
  drawOver: (plot: uPlot) => void;
  /** The column under the crosshair, or null. */
  hover: (column: number | null, plot: uPlot) => void;
  zoom: (from: number, to: number) => void;
  reset: () => void;
}

export interface PlotLook {
  log: boolean;
  unit: XUnit;
  /** Without the x axis. */
  series: readonly uPlot.Series[];
  bands: readonly uPlot.Band[];
  /** What marks the values under the crosshair; only that of the first line where it is not given. */
  points?: uPlot.Cursor.Points;
}

export function createPlot(target: HTMLElement, look: PlotLook, hooks: PlotHooks): uPlot {
  const { log, unit, series, bands, points = FIRST_POINT } = look;
  const yRange = log ? logRange : linearRange;
  const options: uPlot.Options = {
    width: target.clientWidth,
    height: target.clientHeight,
    padding: [GUTTER_TOP, GUTTER_RIGHT, 0, 0],
    pxAlign: 0, // whole pixels would turn a slow rise into stairs
    legend: { show: false },
    scales: {
      x: { time: false, range: () => hooks.view(), ...(unit !== 'step' && spacing(hooks)) },
      y: {
        ...(log && { distr: 3 }),
        range: (_, low, high) => yRange(...joinRange(low, high, hooks.extra?.() ?? null)),
      },
    },
    axes: [xAxis(hooks), yAxis(log)],
    series: [{}, ...series],
    bands: [...bands],
    cursor: cursor(hooks, points),
    hooks: {
      drawAxes: [hooks.drawUnder],
      draw: [hooks.drawOver],
      setCursor: [(plot) => hooks.hover(plot.cursor.idx ?? null, plot)],
      setSelect: [(plot) => select(plot, hooks)],
    },
  };
  return new uPlot(options, [[], ...series.map(() => [])], target);
}

/** Steps stay what is drawn; only how far apart they stand is another unit's. */
function spacing({ xAxis }: PlotHooks): uPlot.Scale {
  return { distr: 100, fwd: (step) => xAxis().placeOf(step), bwd: (place) => xAxis().stepAt(place) };
}

function joinRange(low: number | null, high: number | null, extra: Extent | null): [number | null, number | null] {
  const joined = joinExtents(low === null || high === null ? null : [low, high], extra);
  return joined ? [...joined] : [null, null];
}

const FIRST_POINT: uPlot.Cursor.Points = {
  size: (_, series) => (series === 1 ? 6 : 0),
  fill: () => colors().line,
};

function cursor(hooks: PlotHooks, points: uPlot.Cursor.Points): uPlot.Cursor {
  return {
    y: false,
    drag: { x: true, y: false, setScale: false, dist: MIN_DRAG },
    points,
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
  const from = Math.floor(Math.max(hooks.view()[0], plot.posToVal(left, 'x')));
  const to = Math.ceil(plot.posToVal(left + width, 'x'));
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  hooks.zoom(from, to);
}

const DOT_SIZE = 4;

/** A view's lines and bands in uPlot's words; it counts the steps as its series 0. */
export function linesAndBands(view: { lines: readonly Line[]; bands: readonly Band[] }) {
  const series = view.lines.map(({ ink, width, dash, spansGaps, dots }): uPlot.Series => {
    const stroke = () => (ink ? colors()[ink] : 'transparent');
    const points = { size: DOT_SIZE, fill: stroke, ...(dots !== 'sparse' && { show: dots === 'always' }) };
    return { stroke, width, points, spanGaps: spansGaps ?? false, ...(dash && { dash: [...dash] }) };
  });
  const bands = view.bands.map(({ between: [one, other], ink }): uPlot.Band => {
    return { series: [one + 1, other + 1], fill: () => colors()[ink] };
  });
  return { series, bands };
}

export const X_LABELS = { step: 'step', tokens: 'tokens', time: 'time since the run began' };
const X_SPACE = 70;
const Y_SPACE = 34;

/** The ticks of an x axis from one step to another, in a chart so many pixels wide. */
export function xTicks(axis: XAxis, from: number, to: number, width: number) {
  return axis.ticks(from, to, Math.max(2, Math.floor(width / X_SPACE)));
}

/** The values to label on a y axis, in a chart so many pixels high. */
export function yTicks(log: boolean, low: number, high: number, height: number): number[] {
  return (log ? logTicks : linearTicks)(low, high, Math.max(2, height / Y_SPACE));
}

export function yLabels(ticks: readonly number[]): string[] {
  return ticks.map((tick, at) => formatTick(tick, gapAt(ticks, at)));
}

function xAxis(hooks: PlotHooks): uPlot.Axis {
  const ticks = (plot: uPlot, low: number, high: number) => xTicks(hooks.xAxis(), low, high, plot.width);
  return {
    ...axisLook(),
    label: () => X_LABELS[hooks.xAxis().unit],
    labelSize: X_LABEL,
    labelGap: 0,
    labelFont: FONT,
    size: GUTTER_BOTTOM - X_LABEL,
    space: X_SPACE,
    ...ownTicks,
    splits: (plot, _, low, high) => ticks(plot, low, high).map(({ step }) => step),
    values: (plot) => {
      const { min = 0, max = 1 } = plot.scales.x ?? {};
      return ticks(plot, min ?? 0, max ?? 1).map(({ label }) => label);
    },
  };
}

/** uPlot's own increments end at 1e32, and it draws no axis without one; ticks of our own do not need it. */
const ownTicks: Pick<uPlot.Axis, 'incrs' | 'filter'> = {
  incrs: (_, __, low, high) => [Math.max(10, high, high - low)],
  filter: (_, splits) => splits, // every one of them gets its label
};

function yAxis(log: boolean): uPlot.Axis {
  return {
    ...axisLook(),
    size: GUTTER_LEFT,
    space: Y_SPACE,
    ...ownTicks,
    splits: (plot, _, low, high) => yTicks(log, low, high, plot.height),
    values: (_, splits) => yLabels(splits),
  };
}

/** How far a tick is from the one below it, or the first from the one above. */
function gapAt(splits: readonly number[], at: number): number {
  const [low, high] = at === 0 ? [splits[0], splits[1]] : [splits[at - 1], splits[at]];
  return low === undefined || high === undefined ? Number.MIN_VALUE : high - low;
}

function axisLook(): uPlot.Axis {
  return {
    stroke: () => colors().muted,
    font: FONT,
    gap: 4,
    grid: { stroke: () => colors().grid, width: 1 },
    ticks: { stroke: () => colors().rule, width: 1, size: 4 },
  };
}

/** Moves the crosshair of every chart of the page to a step. */
export function placeCursors(step: number): void {
  for (const plot of uPlot.sync(CURSOR_GROUP).plots) plot.setCursor({ left: plot.valToPos(step, 'x'), top: 0 });
}

/** Keeps a plot as large as its place. */
export function follow(target: HTMLElement, plot: uPlot): () => void {
  const observer = new ResizeObserver(() => plot.setSize({ width: target.clientWidth, height: target.clientHeight }));
  observer.observe(target);
  return () => observer.disconnect();
}
