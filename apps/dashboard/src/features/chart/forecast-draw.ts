import type uPlot from 'uplot';
import { formatCount } from '../../components/format.ts';
import type { ForecastPoint } from '../../trpc/client.tsx';
import { drawLabel } from './label-draw.ts';
import { clipToPlot } from './markers.ts';
import { colors } from './palette.ts';

/** What is forecast of a run that goes on. */
export interface Ahead {
  step: number;
  /** Holds the divergence four times of five. */
  interval: readonly [number, number] | null;
}

/** The share of a plot's height, at its foot, that shows the risk from 0 to 100 %. */
const STRIP = 0.22;
const LABEL_HEIGHT = 13;

/**
 * The risk of divergence as a stair at the foot of a plot, and where divergence is expected: a dashed line with its
 * interval. Below the curve, since it comments on it.
 */
export function drawForecast(
  plot: uPlot,
  points: readonly ForecastPoint[],
  lastStep: number,
  ahead: Ahead | null,
): void {
  const { ctx } = plot;
  ctx.save();
  clipToPlot(plot);
  drawRisk(plot, points, lastStep);
  if (ahead) drawAhead(plot, ahead);
  ctx.restore();
}

function drawRisk(plot: uPlot, points: readonly ForecastPoint[], lastStep: number): void {
  const { ctx, bbox } = plot;
  const [first] = points;
  if (!first) return;
  const foot = bbox.top + bbox.height;
  const x = (step: number) => plot.valToPos(step, 'x', true);
  const y = (risk: number) => foot - risk * STRIP * bbox.height;
  ctx.beginPath();
  ctx.moveTo(x(first.step), foot);
  points.forEach(({ step, risk }, at) => {
    const until = points[at + 1]?.step ?? Math.max(step, lastStep);
    ctx.lineTo(x(step), y(risk));
    ctx.lineTo(x(until), y(risk));
  });
  ctx.lineTo(x(Math.max(points.at(-1)?.step ?? 0, lastStep)), foot);
  ctx.fillStyle = colors().critical;
  ctx.globalAlpha = 0.2;
  ctx.fill();
  ctx.globalAlpha = 0.9;
  ctx.lineWidth = devicePixelRatio;
  ctx.strokeStyle = colors().critical;
  ctx.stroke();
}

function drawAhead(plot: uPlot, { step, interval }: Ahead): void {
  const { ctx, bbox } = plot;
  const x = (at: number) => plot.valToPos(at, 'x', true);
  ctx.fillStyle = ctx.strokeStyle = colors().critical;
  if (interval) {
    ctx.globalAlpha = 0.1;
    ctx.fillRect(x(interval[0]), bbox.top, x(interval[1]) - x(interval[0]), bbox.height);
  }
  ctx.globalAlpha = 1;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x(step), bbox.top);
  ctx.lineTo(x(step), bbox.top + bbox.height);
  ctx.stroke();
  ctx.setLineDash([]);
  const top = bbox.top + (1 - STRIP) * bbox.height - LABEL_HEIGHT * devicePixelRatio;
  drawLabel(plot, `diverges ≈ ${formatCount(step)}`, x(step), top, 'left');
}
