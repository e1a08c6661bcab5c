import type { Chart } from '../../trpc/client.tsx';
import { isPressedFlat, positiveExtent } from '../chart/axis-range.ts';
import type { MetricView } from '../chart/metrics.ts';
import { plotData } from '../chart/plot-data.ts';
import { smooth } from '../chart/smoothing.ts';
import type { RunLook } from '../run/run-color.ts';
import { nearest } from './align.ts';

/** Who is drawn. */
export interface DrawnRun {
  id: string;
  name: string;
  /** From 1, in the order of the address. */
  number: number;
  look: RunLook;
}

/** One metric of one run; every array has one element a column. */
export interface Line extends DrawnRun {
  /** Ascending, in the unit that the runs are aligned by. */
  places: number[];
  mean: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  /** Null where curves are not smoothed. */
  smoothed: (number | null)[] | null;
  nonFinite: number[];
  /** Steps that a column spans, the mean of which its value is. */
  columnSteps: number;
}

interface Columns {
  chart: Chart;
  /** By the step that a column begins with. */
  places: ReadonlyMap<number, number>;
}

/** @param halfLife of the smoothing, in steps whatever the runs are aligned by */
export function lineOf(run: DrawnRun, { chart, places }: Columns, view: MetricView, halfLife: number | null): Line {
  const { steps, mean, low, high, nonFinite } = plotData(chart, view);
  const smoothed = halfLife === null ? null : smooth(steps, mean, halfLife);
  const placed = steps.map((step) => places.get(step) ?? null);
  const kept = <Value>(values: readonly Value[]) => values.filter((_, at) => placed[at] !== null);
  return {
    ...run,
    places: placed.filter((place) => place !== null),
    mean: kept(mean),
    low: kept(low),
    high: kept(high),
    smoothed: smoothed && kept(smoothed),
    nonFinite: kept(nonFinite),
    columnSteps: chart.columnSteps,
  };
}

/** A run's value at a place. */
export interface Reading {
  /** Null where the run has none there. */
  value: number | null;
  /** Whether what stands there is NaN or infinite. */
  isLost: boolean;
}

/** What stands nearest to a place; without one, the latest up to an end. */
export function readAt({ places, mean, smoothed, nonFinite }: Line, place: number | null, end: number): Reading {
  const latest = places.findLastIndex((each) => each <= end);
  const at = place === null ? latest : nearest(places, place);
  const value = at === null ? null : ((smoothed ?? mean)[at] ?? null);
  return { value, isLost: at !== null && value === null && (nonFinite[at] ?? 0) > 0 };
}

/** Whether a linear axis would press most of what is drawn flat. */
export function isWide(lines: readonly Line[]): boolean {
  return isPressedFlat(positiveExtent(lines.flatMap(({ mean }) => mean)));
}
