import type uPlot from 'uplot';
import { colors } from './palette.ts';

/** Words beside a vertical line at `x`, in the fill's color, outlined so that they stand out from lines behind them. */
export function drawLabel({ ctx, bbox }: uPlot, words: string, x: number, top: number, side?: 'left' | 'right'): void {
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textBaseline = 'top';
  const fits = x + ctx.measureText(words).width + 6 * devicePixelRatio < bbox.left + bbox.width;
  const isRight = side ? side === 'right' : fits;
  ctx.textAlign = isRight ? 'left' : 'right';
  const left = x + (isRight ? 4 : -4) * devicePixelRatio;
  ctx.setLineDash([]);
  ctx.lineJoin = 'round';
  ctx.lineWidth = 4 * devicePixelRatio;
  ctx.strokeStyle = colors().surface;
  ctx.strokeText(words, left, top);
  ctx.fillText(words, left, top);
  ctx.restore();
}
