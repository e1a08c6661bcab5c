import type { AttemptSpan } from '@evenkeel/stability';
import type uPlot from 'uplot';
import { formatCount } from '../../components/format.ts';
import type { SeriesKey } from '../../trpc/client.tsx';
import { type Extent, extentOf } from './axis-range.ts';
import { drawLabel } from './label-draw.ts';
import { clipToPlot } from './markers.ts';
import { colors } from './palette.ts';
import type { Ghost } from './use-ghosts.ts';

/** What rewound attempts measured, as pale dashed lines below the run's own. */
export function drawGhosts(plot: uPlot, ghosts: readonly Ghost[], key: SeriesKey): void {
  const { ctx } = plot;
  ctx.save();
  clipToPlot(plot);
  ctx.strokeStyle = colors().ghost;
  ctx.lineWidth = 1.2 * devicePixelRatio;
  ctx.setLineDash([5 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const { steps, series } of ghosts) drawLine(plot, steps, series[key]?.mean ?? []);
  ctx.restore();
}

function drawLine(plot: uPlot, steps: readonly number[], values: readonly (number | null)[]): void {
  const { ctx } = plot;
  ctx.beginPath();
  let pen: 'moveTo' | 'lineTo' = 'moveTo';
  values.forEach((value, at) => {
    if (value === null) {
      pen = 'moveTo';
      return;
    }
    ctx[pen](plot.valToPos(steps[at] ?? 0, 'x', true), plot.valToPos(value, 'y', true));
    pen = 'lineTo';
  });
  ctx.stroke();
}

/** Min and max of what ghosts show of a metric; only of what a logarithmic axis can show, where that is asked. */
export function ghostExtent(ghosts: readonly Ghost[], key: SeriesKey, log: boolean): Extent | null {
  return extentOf(
    ghosts.flatMap(({ series }) => series[key]?.mean ?? []),
    log,
  );
}

/** Where each attempt after the first begins: a dotted line. */
export function drawAttempts(plot: uPlot, attempts: readonly AttemptSpan[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  clipToPlot(plot);
  ctx.strokeStyle = colors().muted;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([devicePixelRatio, 3 * devicePixelRatio]);
  for (const x of beginnings(plot, attempts).values()) {
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

const LABEL_WIDTH = 64;
const TOP = 42;

/** Their numbers beside those lines, below the names of alerts, short where the next is near. */
export function nameAttempts(plot: uPlot, attempts: readonly AttemptSpan[]): void {
  const { ctx, bbox } = plot;
  const lines = [...beginnings(plot, attempts)];
  ctx.save();
  clipToPlot(plot);
  ctx.fillStyle = colors().muted;
  lines.forEach(([number, x], at) => {
    const room = ((lines[at + 1]?.[1] ?? Number.POSITIVE_INFINITY) - x) / devicePixelRatio;
    const words = room < LABEL_WIDTH ? formatCount(number) : `attempt ${formatCount(number)}`;
    drawLabel(plot, words, x, bbox.top + TOP * devicePixelRatio);
  });
  ctx.restore();
}

/** Where on the canvas each attempt begins that is not the first, by its number. */
function beginnings(plot: uPlot, attempts: readonly AttemptSpan[]): Map<number, number> {
  const begun = attempts.slice(1).filter(({ firstStep }) => firstStep !== null);
  return new Map(begun.map(({ number, firstStep }) => [number, plot.valToPos(firstStep ?? 0, 'x', true)]));
}
