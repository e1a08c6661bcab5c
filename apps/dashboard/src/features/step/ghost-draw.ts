import type uPlot from 'uplot';
import { formatCount } from '../../format.ts';
import type { SeriesKey } from '../../trpc/client.tsx';
import { drawLabel } from './label-draw.ts';
import { clipToPlot } from './markers.ts';
import { colours } from './palette.ts';
import type { AttemptSpan } from './superseded.ts';
import type { Ghost } from './use-ghosts.ts';

/** What rewound attempts measured, as pale dashed lines below the run's own. */
export function drawGhosts(plot: uPlot, ghosts: readonly Ghost[], key: SeriesKey): void {
  const { ctx } = plot;
  ctx.save();
  clipToPlot(plot);
  ctx.strokeStyle = colours().ghost;
  ctx.lineWidth = 1.2 * devicePixelRatio;
  ctx.setLineDash([5 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const { chart } of ghosts) drawLine(plot, chart.steps, chart.series[key]?.mean ?? []);
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

/** Least and greatest of what ghosts show of a metric; only of what a logarithmic axis can show, where that is asked. */
export function reachOf(ghosts: readonly Ghost[], key: SeriesKey, log: boolean): [number, number] | null {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { chart } of ghosts) {
    for (const value of chart.series[key]?.mean ?? []) {
      if (value === null || (log && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : null;
}

/** Where each attempt after the first begins: a dotted line, with its number where `named`. */
export function drawAttempts(plot: uPlot, attempts: readonly AttemptSpan[], named: boolean): void {
  const { ctx, bbox } = plot;
  ctx.save();
  clipToPlot(plot);
  ctx.strokeStyle = ctx.fillStyle = colours().muted;
  ctx.lineWidth = devicePixelRatio;
  for (const { number, firstStep } of attempts.slice(1)) {
    if (firstStep === null) continue;
    const x = plot.valToPos(firstStep, 'x', true);
    ctx.setLineDash([devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (named) drawLabel(plot, `attempt ${formatCount(number)}`, x, bbox.top + bbox.height - 16 * devicePixelRatio);
  }
  ctx.restore();
}
