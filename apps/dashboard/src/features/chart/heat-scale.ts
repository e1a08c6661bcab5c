import { interpolateViridis } from 'd3-scale-chromatic';
import { joinExtents, positiveExtent } from './axis-range.ts';

type Rgb = readonly [red: number, green: number, blue: number];

const SHADES = 256;
/** Perceptually uniform, and distinct with every common color blindness and in gray. Each 0 to 255. */
const VIRIDIS: readonly Rgb[] = Array.from({ length: SHADES }, (_, at) => {
  const hex = Number.parseInt(interpolateViridis(at / (SHADES - 1)).slice(1), 16);
  return [hex >> 16, (hex >> 8) & 0xff, hex & 0xff];
});

/** The color for `share` of the way from the lowest to the highest. */
export function viridis(share: number): Rgb {
  const at = Math.round(Math.min(1, Math.max(0, share)) * (SHADES - 1));
  const shade = VIRIDIS[at];
  if (!shade) throw new Error(`no shade for the share ${share}`);
  return shade;
}

const STOPS = 10;
/** The same from left to right, for the style sheet. */
export const VIRIDIS_CSS = `linear-gradient(to right, ${Array.from({ length: STOPS }, (_, at) => interpolateViridis(at / (STOPS - 1))).join(', ')})`;

export interface HeatScale {
  low: number;
  high: number;
}

type Columns = readonly (readonly (number | null)[])[];

/** The span of positive values; null where there is none. */
export function heatScale(columns: Columns): HeatScale | null {
  const extents = columns.map(positiveExtent);
  const extent = extents.reduce(joinExtents, null);
  return extent && { low: extent[0], high: extent[1] };
}

/** Where a value stands between the lowest and the highest, by its logarithm; zero stands lowest. */
export function heatShare(value: number, { low, high }: HeatScale): number {
  if (!(value > low)) return 0;
  return high > low ? Math.log(value / low) / Math.log(high / low) : 1;
}

export interface Heat {
  /** First step of each column, ascending. */
  steps: readonly number[];
  columns: Columns;
  /** Steps that a column spans. */
  columnSteps: number;
}

/**
 * The column that holds `step`, or -1. A column lasts until the next one, since what is measured every few steps does
 * not come in every column; a longer gap is one.
 */
export function columnAt({ steps, columnSteps }: Omit<Heat, 'columns'>, step: number): number {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle] ?? 0) <= step) low = middle + 1;
    else high = middle;
  }
  const start = steps[low - 1];
  if (start === undefined) return -1;
  const next = steps[low];
  const end = next !== undefined && next - start <= 2 * columnSteps ? next : start + columnSteps;
  return step < end ? low - 1 : -1;
}

/**
 * RGBA of `width` × `layers` pixels: steps from left to right, the first layer on top; transparent where there is no
 * value.
 * @param stepAt the step at a share, 0 to 1, of the way from left to right
 */
export function heatPixels(
  heat: Heat,
  stepAt: (share: number) => number,
  width: number,
  layers: number,
  scale: HeatScale,
): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint8ClampedArray(width * layers * 4);
  for (let x = 0; x < width; x++) {
    const column = heat.columns[columnAt(heat, stepAt((x + 0.5) / width))];
    column?.slice(0, layers).forEach((value, layer) => {
      if (value !== null) pixels.set([...viridis(heatShare(value, scale)), 255], (layer * width + x) * 4);
    });
  }
  return pixels;
}
