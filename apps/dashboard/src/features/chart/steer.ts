import type { KeyboardEvent } from 'react';
import type uPlot from 'uplot';
import { columnAfter, rangeAfter } from './keyboard.ts';
import { placeCursors } from './plot.ts';
import type { StepRange } from './view-params.ts';

interface Steered {
  /** First and last place of the x axis, and of all there is. */
  shown: readonly [number, number];
  whole: readonly [number, number];
  onZoom: (range: StepRange | null) => void;
}

/** Arrow keys, page keys, Home and End move the crosshair; +, − and 0 zoom around it. */
export function steer(event: KeyboardEvent, plot: uPlot, { shown, whole, onZoom }: Steered): void {
  const places = plot.data[0];
  const at = plot.cursor.idx ?? places.length - 1;
  const column = columnAfter(event.key, at, places.length);
  const range = rangeAfter(event.key, { view: shown, run: whole, center: places[at] ?? 0 });
  if (column !== null) placeCursors(places[column] ?? 0);
  if (range !== undefined) onZoom(range);
  if (column !== null || range !== undefined) event.preventDefault();
}
