import type { ChartSeries } from '../../trpc/client.tsx';
import { isPressedFlat, positiveExtent } from '../step/axis-range.ts';

/** A series as far as it goes, and the newest value, which came in later; NaN where a column has nothing finite. */
export function courseOf(series: ChartSeries | undefined, newest: number | null): number[] {
  if (!series) return [];
  const columns = series.mean.map((mean, at) => mean ?? (series.nonFinite[at] ? Number.NaN : null));
  return [...columns, newest].filter((value) => value !== null);
}

/**
 * SVG paths across a box of `width` × `height`, one for each stretch of finite values; by their logarithms where most of
 * the course would be pressed flat.
 */
export function coursePaths(values: readonly number[], width: number, height: number): string[] {
  const finite = values.filter(Number.isFinite);
  const byLogarithm = finite.every((value) => value > 0) && isPressedFlat(positiveExtent(finite));
  const scale = byLogarithm ? Math.log : Number;
  const low = scale(Math.min(...finite));
  const span = scale(Math.max(...finite)) - low;
  const intervals = Math.max(1, values.length - 1);
  const stretches: string[][] = [[]];
  for (const [index, value] of values.entries()) {
    if (!Number.isFinite(value)) {
      stretches.push([]);
      continue;
    }
    const x = (width * index) / intervals;
    const y = span > 0 ? height - ((scale(value) - low) / span) * height : height / 2;
    stretches.at(-1)?.push(`${x.toFixed(1)},${y.toFixed(1)}`);
  }
  return stretches.filter((points) => points.length > 1).map((points) => `M${points.join('L')}`);
}
