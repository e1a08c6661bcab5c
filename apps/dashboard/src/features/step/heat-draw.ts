import type { LayerChart } from '../../trpc/client.tsx';
import { columnStepsOf } from './chart-columns.ts';
import { type HeatScale, heatPixels } from './heat-scale.ts';
import { colours } from './palette.ts';
import { GUTTER_LEFT, GUTTER_RIGHT } from './plot.ts';
import { formatTick, stepTicks } from './ticks.ts';

/** Space under the cells for the steps. */
export const HEAT_FOOT = 24;
const FONT = '11px system-ui, sans-serif';
const LABEL_HEIGHT = 13;

/** Draws the layers' chart over the whole of `canvas`, its steps above those of the other charts. */
export function drawHeat(
  canvas: HTMLCanvasElement,
  chart: LayerChart,
  view: readonly [number, number],
  scale: HeatScale | null,
): void {
  const context = canvas.getContext('2d');
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (!context || width <= GUTTER_LEFT + GUTTER_RIGHT) return;
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  context.scale(devicePixelRatio, devicePixelRatio);
  const layers = Math.max(0, ...chart.gradVar.map((column) => column.length));
  if (!scale || layers === 0) {
    drawEmpty(context, width, height);
    return;
  }
  const place = { layers, width: width - GUTTER_LEFT - GUTTER_RIGHT, height: height - HEAT_FOOT };
  drawCells(context, chart, view, scale, place);
  drawSteps(context, view, place);
  drawNames(context, chart.layers, place);
}

interface Place {
  layers: number;
  width: number;
  height: number;
}

function drawCells(
  context: CanvasRenderingContext2D,
  { steps, gradVar }: LayerChart,
  view: readonly [number, number],
  scale: HeatScale,
  { layers, width, height }: Place,
): void {
  const columns = Math.round(width);
  const heat = { steps, columns: gradVar, columnSteps: columnStepsOf(steps) };
  const image = new ImageData(heatPixels(heat, view, columns, layers, scale), columns, layers);
  const cells = new OffscreenCanvas(columns, layers);
  cells.getContext('2d')?.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(cells, GUTTER_LEFT, 0, width, height);
}

function drawSteps(context: CanvasRenderingContext2D, [from, to]: readonly [number, number], place: Place): void {
  const { ticks, increment } = stepTicks(from, to, Math.floor(place.width / 70));
  context.font = FONT;
  context.textAlign = 'center';
  context.textBaseline = 'top';
  context.fillStyle = colours().muted;
  for (const tick of ticks) {
    const x = GUTTER_LEFT + ((tick - from) / (to - from)) * place.width;
    context.fillText(formatTick(tick, increment), x, place.height + 7);
  }
}

/** As many layer names as stand clear of one another, the first always. */
function drawNames(context: CanvasRenderingContext2D, names: readonly string[], { layers, height }: Place): void {
  const every = Math.ceil((layers * LABEL_HEIGHT) / height);
  context.font = FONT;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  context.fillStyle = colours().muted;
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
  context.fillStyle = colours().muted;
  context.fillText('This run has sent no gradient variance by layer in these steps.', width / 2, height / 2);
}
