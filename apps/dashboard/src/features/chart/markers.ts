import type { Alert } from '@evenkeel/protocol';
import { findRule } from '@evenkeel/stability';
import type uPlot from 'uplot';
import type { Drawn } from './chart-view.ts';
import { drawLabel } from './label-draw.ts';
import { colors } from './palette.ts';

/** The chart that names the alerts of a rule that this page does not know. */
const OTHERWISE = 'loss';

const LABEL_HEIGHT = 13;
const LABEL_ROWS = 3;

/**
 * Alerts as vertical lines: solid and vermilion where critical, dashed and orange where a warning. The chart of the signal
 * that a rule marks names its alerts, the others only show where they stand.
 */
export function drawAlerts(plot: uPlot, alerts: readonly Alert[], key: string): void {
  const { ctx } = plot;
  ctx.save();
  clipToPlot(plot);
  const named = alerts.filter(({ rule }) => (findRule(rule)?.marks ?? OTHERWISE) === key);
  for (const alert of alerts) drawAlert(plot, alert, named.indexOf(alert));
  ctx.restore();
}

function drawAlert(plot: uPlot, { rule, severity, step, status }: Alert, order: number): void {
  const { ctx, bbox } = plot;
  const x = plot.valToPos(step, 'x', true);
  const named = order >= 0;
  const isCritical = severity === 'critical';
  ctx.globalAlpha = status === 'resolved' ? 0.45 : named ? 1 : 0.6;
  ctx.strokeStyle = isCritical ? colors().critical : colors().warning;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash(isCritical ? [] : [4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  if (!named) return;
  // A faded line is still seen, faded words are not read.
  ctx.globalAlpha = 1;
  ctx.fillStyle = isCritical ? colors().criticalText : colors().warningText;
  drawLabel(plot, rule, x, bbox.top + (2 + (order % LABEL_ROWS) * LABEL_HEIGHT) * devicePixelRatio);
}

/** Marks the steps from one to another, at least as a line, with an edge that shows where it begins and ends. */
export function drawShade(plot: uPlot, [first, last]: readonly [number, number]): void {
  const { ctx, bbox } = plot;
  const left = plot.valToPos(first, 'x', true);
  const width = Math.max(2 * devicePixelRatio, plot.valToPos(last, 'x', true) - left);
  ctx.save();
  clipToPlot(plot);
  ctx.fillStyle = ctx.strokeStyle = colors().muted;
  ctx.globalAlpha = 0.12;
  ctx.fillRect(left, bbox.top, width, bbox.height);
  ctx.globalAlpha = 0.5;
  ctx.lineWidth = devicePixelRatio;
  ctx.strokeRect(left, bbox.top - 1, width, bbox.height + 2);
  ctx.restore();
}

const CROSS = 3.5;

/** A cross on the axis for every column that holds a NaN or an infinity. */
export function drawNonFinite(
  plot: uPlot,
  { steps, nonFinite }: Pick<Drawn, 'steps' | 'nonFinite'>,
  color = colors().critical,
): void {
  const { ctx, bbox } = plot;
  const arm = CROSS * devicePixelRatio;
  const y = bbox.top + bbox.height - arm - devicePixelRatio;
  let last = Number.NEGATIVE_INFINITY;
  ctx.save();
  clipToPlot(plot);
  ctx.strokeStyle = color;
  ctx.lineWidth = 1.6 * devicePixelRatio;
  ctx.beginPath();
  nonFinite.forEach((count, at) => {
    const x = plot.valToPos(steps[at] ?? 0, 'x', true);
    if (!count || x - last < 2 * arm) return; // a cross here already
    last = x;
    ctx.moveTo(x - arm, y - arm);
    ctx.lineTo(x + arm, y + arm);
    ctx.moveTo(x - arm, y + arm);
    ctx.lineTo(x + arm, y - arm);
  });
  ctx.stroke();
  ctx.restore();
}

export function clipToPlot({ ctx, bbox }: uPlot): void {
  ctx.beginPath();
  ctx.rect(bbox.left - 4, bbox.top, bbox.width + 8, bbox.height);
  ctx.clip();
}
