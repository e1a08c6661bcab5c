import { scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import type { ChartSeries } from '../../trpc/client.tsx';
import { extentOf, isPressedFlat } from '../chart/axis-range.ts';

/** A series and the newest value, which came in later; NaN where a column has nothing finite. */
export function sparklineValues(series: ChartSeries | undefined, newest: number | null): number[] {
  if (!series) return [];
  const columns = series.mean.map((mean, at) => mean ?? (series.nonFinite[at] ? Number.NaN : null));
  return [...columns, newest].filter((value) => value !== null);
}

/**
 * An SVG path across a box of `width` × `height`, broken where a value is not finite; on a logarithmic scale where a
 * linear one would press most of it flat.
 */
export function sparklinePath(values: readonly number[], width: number, height: number): string {
  const extent = extentOf(values.filter(Number.isFinite), false);
  if (!extent) return '';
  const isLog = extent[0] > 0 && isPressedFlat(extent);
  const y = (isLog ? scaleLog : scaleLinear)(extent, [height, 0]);
  const x = scaleLinear([0, Math.max(1, values.length - 1)], [0, width]);
  const draw = line<number>((_, at) => x(at), y).defined(Number.isFinite);
  return draw.digits(1)(values) ?? '';
}
