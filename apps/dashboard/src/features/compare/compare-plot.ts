import uPlot from 'uplot';
import { drawLabel } from '../chart/label-draw.ts';
import { clipToPlot, drawNonFinite } from '../chart/markers.ts';
import { nearest } from './align.ts';
import type { Line } from './lines.ts';

/** More filled bands than this would hide one another; of more, only the edges are drawn. */
const MAX_BANDS = 5;
const WIDTH = { plain: 1.75, emphasized: 3, raw: 1 };
const POINT_SIZE = 6;
const ALPHA = { behind: 0.18, raw: 0.35, band: 0.12, edge: 0.4 };

/** The color of a custom property in the scheme of the page. */
function cssColor(property: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(property);
}

/** A line for each run; where curves are smoothed, the raw ones lie behind them all. */
export function seriesOf(lines: readonly Line[]): uPlot.Series[] {
  const raw = lines
    .filter(({ smoothed }) => smoothed)
    .map((line) => ({ ...strokeOf(line), width: WIDTH.raw, dash: [] }));
  return [...raw, ...lines.map(strokeOf)];
}

function strokeOf({ look, places }: Line): uPlot.Series {
  const stroke = () => cssColor(look.color);
  const dash = look.dash.map((length) => length * devicePixelRatio);
  const points = { show: places.length === 1, size: 6, fill: stroke };
  return { stroke, width: WIDTH.plain, ...(dash.length > 0 && { dash }), points };
}

/** What the series draw, on the places of all runs together: each has values at its own. */
export function dataOf(lines: readonly Line[]): uPlot.AlignedData {
  const tables = [
    ...lines.flatMap(({ places, mean, smoothed }) => (smoothed ? [[places, mean]] : [])),
    ...lines.map(({ places, mean, smoothed }) => [places, smoothed ?? mean]),
  ];
  return tables.length === 0 ? [[]] : uPlot.join(tables as uPlot.AlignedData[]);
}

/** Marks the value of each line under the crosshair, where it has one there. */
export function pointsOf(lines: () => readonly Line[]): uPlot.Cursor.Points {
  return {
    size: (plot, at) => {
      const column = plot.cursor.idx ?? null;
      if (column === null) return POINT_SIZE; // also while the plot is made, before it has data
      const place = plot.data[0][column];
      const line = lines()[at - (plot.series.length - lines().length)];
      return line && place !== undefined && nearest(line.places, place) !== null ? POINT_SIZE : 0;
    },
    fill: (plot, at) => {
      const line = lines()[at - (plot.series.length - lines().length)];
      return cssColor(line?.look.color ?? '--ek-muted');
    },
  };
}

/** The run with this id comes forward, the others go back; with null, all are alike. */
export function emphasize(plot: uPlot, lines: readonly Line[], id: string | null): void {
  const firstMain = plot.series.length - lines.length;
  plot.series.forEach((series, at) => {
    if (at === 0) return;
    const isRaw = at < firstMain;
    const line = lines[(at - 1) % lines.length];
    const isBehind = id !== null && line?.id !== id;
    series.alpha = isBehind ? ALPHA.behind : isRaw ? ALPHA.raw : 1;
    if (!isRaw) series.width = id !== null && !isBehind ? WIDTH.emphasized : WIDTH.plain;
  });
  plot.redraw(false);
}

/** Whose bands are drawn, from the min to the max of each column: where a column is one step, there is none. */
export function bandedOf(lines: readonly Line[], id: string | null): Line[] {
  return lines.filter((line) => line.columnSteps > 1 && (id === null || line.id === id));
}

/** Min and max within a range of places, so that no spike lies outside the axis. */
export function extentOf(lines: readonly Line[], [from, to]: readonly [number, number], log: boolean) {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const line of lines) {
    line.places.forEach((place, at) => {
      const [min, max] = [line.low[at] ?? null, line.high[at] ?? null];
      if (place < from || place > to || min === null || max === null) return;
      if (!log || min > 0) low = Math.min(low, min);
      high = Math.max(high, max);
    });
  }
  return low <= high ? ([low, high] as const) : null;
}

/** The edges are drawn themselves, so that one wild step in a million is seen. */
export function drawBands(plot: uPlot, lines: readonly Line[], log: boolean): void {
  const { ctx } = plot;
  ctx.save();
  clipToPlot(plot);
  ctx.lineWidth = devicePixelRatio;
  for (const line of lines) {
    ctx.fillStyle = ctx.strokeStyle = cssColor(line.look.color);
    for (const band of unbroken(line, log)) drawBand(plot, band, lines.length <= MAX_BANDS);
  }
  ctx.restore();
}

type Corner = readonly [place: number, low: number, high: number];

/** The columns of a line in stretches that have values throughout. */
function unbroken({ places, low, high }: Line, log: boolean): Corner[][] {
  const stretches: Corner[][] = [[]];
  places.forEach((place, at) => {
    const [min, max] = [low[at] ?? null, high[at] ?? null];
    if (min === null || max === null || (log && min <= 0)) stretches.push([]);
    else stretches.at(-1)?.push([place, min, max]);
  });
  return stretches.filter(({ length }) => length > 1);
}

function drawBand(plot: uPlot, corners: readonly Corner[], isFilled: boolean): void {
  const { ctx } = plot;
  ctx.beginPath();
  for (const [place, , high] of corners) ctx.lineTo(plot.valToPos(place, 'x', true), plot.valToPos(high, 'y', true));
  for (const [place, low] of corners.toReversed()) {
    ctx.lineTo(plot.valToPos(place, 'x', true), plot.valToPos(low, 'y', true));
  }
  if (isFilled) {
    ctx.globalAlpha = ALPHA.band;
    ctx.fill();
  }
  ctx.globalAlpha = ALPHA.edge;
  ctx.stroke();
}

export function drawLost(plot: uPlot, lines: readonly Line[]): void {
  for (const { places, nonFinite, look } of lines) {
    drawNonFinite(plot, { steps: places, nonFinite }, cssColor(look.color));
  }
}

const LABEL_HEIGHT = 11;

/** Each run's number at the end of its line, unless another's is there already. */
export function drawNumbers(plot: uPlot, lines: readonly Line[], id: string | null): void {
  const { ctx, bbox } = plot;
  const taken: (readonly [x: number, y: number])[] = [];
  const height = LABEL_HEIGHT * devicePixelRatio;
  for (const line of lines.toSorted((a, b) => Number(b.id === id) - Number(a.id === id))) {
    const end = endOf(plot, line);
    if (!end || (id !== null && line.id !== id)) continue;
    const [x, y] = end;
    if (taken.some(([left, top]) => Math.abs(left - x) < 2 * height && Math.abs(top - y) < height)) continue;
    taken.push(end);
    ctx.fillStyle = cssColor(line.look.color);
    const fitsGutter = line.number < 10 && x > bbox.left + bbox.width - height;
    drawLabel(plot, String(line.number), x, y - height / 2, fitsGutter ? 'right' : undefined);
  }
}

/** Where the last value in view stands. */
function endOf(plot: uPlot, { places, mean, smoothed }: Line): [number, number] | null {
  const { bbox, scales } = plot;
  const values = smoothed ?? mean;
  const { min, max } = scales.x ?? {};
  const at = places.findLastIndex((place, at) => values[at] != null && place >= (min ?? 0) && place <= (max ?? 0));
  const [place, value] = [places[at], values[at]];
  if (place === undefined || value == null) return null;
  const y = plot.valToPos(value, 'y', true);
  return y >= bbox.top && y <= bbox.top + bbox.height ? [plot.valToPos(place, 'x', true), y] : null;
}
