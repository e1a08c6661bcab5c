import type { ArrayChart } from '../../trpc/client.tsx';
import { columnStepsOf } from './chart-columns.ts';
import { type HeatScale, heatPixels } from './heat-scale.ts';
import { colors } from './palette.ts';
import { GUTTER_BOTTOM, GUTTER_LEFT, GUTTER_RIGHT, X_LABELS } from './plot.ts';
import type { XAxis } from './x-axis.ts';

const FONT = '11px system-ui, sans-serif';
const LABEL_HEIGHT = 13;

/** What the x axis shows. */
export interface HeatView {
  view: readonly [number, number];
  axis: XAxis;
}

/** The step at a share, 0 to 1, of the way across, and back. */
export function stepAtShare({ view: [from, to], axis }: HeatView, share: number): number {
  const [left, right] = [axis.placeOf(from), axis.placeOf(to)];
  return axis.stepAt(left + share * (right - left));
}

export function shareOfStep({ view: [from, to], axis }: HeatView, step: number): number {
  const [left, right] = [axis.placeOf(from), axis.placeOf(to)];
  return (axis.placeOf(step) - left) / (right - left);
}

/** Draws values by layer over the whole of `canvas`, their steps above those of the other charts. */
export function drawHeat(
  canvas: HTMLCanvasElement,
  chart: ArrayChart,
  names: readonly string[],
  view: HeatView,
  scale: HeatScale | null,
): void {
  const context = canvas.getContext('2d');
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (!context || width <= GUTTER_LEFT + GUTTER_RIGHT) return;
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  context.scale(devicePixelRatio, devicePixelRatio);
  const layers = Math.max(0, ...chart.values.map((column) => column.length));
  if (!scale || layers === 0) {
    drawEmpty(context, width, height);
    return;
  }
  const place = { layers, width: width - GUTTER_LEFT - GUTTER_RIGHT, height: height - GUTTER_BOTTOM };
  drawCells(context, chart, view, scale, place);
  drawSteps(context, view, place);
  drawNames(context, names, place);
}

interface Place {
  layers: number;
  width: number;
  height: number;
}

function drawCells(
  context: CanvasRenderingContext2D,
  { steps, values }: ArrayChart,
  view: HeatView,
  scale: HeatScale,
  { layers, width, height }: Place,
): void {
  const columns = Math.round(width);
  const heat = { steps, columns: values, columnSteps: columnStepsOf(steps) };
  const image = new ImageData(
    heatPixels(heat, (share) => stepAtShare(view, share), columns, layers, scale),
    columns,
    layers,
  );
  const cells = new OffscreenCanvas(columns, layers);
  cells.getContext('2d')?.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(cells, GUTTER_LEFT, 0, width, height);
}

function drawSteps(context: CanvasRenderingContext2D, heat: HeatView, place: Place): void {
  context.font = FONT;
  context.textAlign = 'center';
  context.textBaseline = 'top';
  context.fillStyle = colors().muted;
  for (const { step, label } of heat.axis.ticks(...heat.view, Math.floor(place.width / 70))) {
    context.fillText(label, GUTTER_LEFT + shareOfStep(heat, step) * place.width, place.height + 7);
  }
  context.fillText(X_LABELS[heat.axis.unit], GUTTER_LEFT + place.width / 2, place.height + 23);
}

/** As many layer names as stand clear of one another, the first always. */
function drawNames(context: CanvasRenderingContext2D, names: readonly string[], { layers, height }: Place): void {
  const every = Math.ceil((layers * LABEL_HEIGHT) / height);
  context.font = FONT;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  context.fillStyle = colors().muted;
  for (let layer = 0; layer < layers; layer += every) {
    const y = ((layer + 0.5) / layers) * height;
    context.fillText(shorten(context, names[layer] ?? String(layer)), GUTTER_LEFT - 6, y);
  }
}

function shorten(context: CanvasRenderingContext2D, name: string): string {
  const room = GUTTER_LEFT - 10;
  if (context.measureText(name).width <= room) return name;
  for (let length = name.length - 1; length > 1; length--) {
    const short = `…${name.slice(-length)}`; // names of layers differ at their end
    if (context.measureText(short).width <= room) return short;
  }
  return '…';
}

function drawEmpty(context: CanvasRenderingContext2D, width: number, height: number): void {
  context.font = '13px system-ui, sans-serif';
  context.textAlign = 'center';
  context.fillStyle = colors().muted;
  context.fillText('This run has sent nothing by layer in these steps.', width / 2, height / 2);
}
