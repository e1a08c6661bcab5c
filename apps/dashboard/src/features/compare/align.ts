import type { Chart } from '../../trpc/client.tsx';
import type { StepRange } from '../chart/view-params.ts';
import { risingPlaces, type XAxis, type XUnit, xAxisOf } from '../chart/x-axis.ts';

/**
 * Where each column of a run stands, by the step it begins with: at that step, at the tokens seen then, or at the
 * milliseconds since the run began.
 */
export function placesOf(chart: Chart, align: XUnit, startedAt: number): Map<number, number> {
  return risingPlaces(
    chart.steps,
    chart.steps.map((_, at) => placeAt(chart, align, startedAt, at)),
  );
}

function placeAt(chart: Chart, align: XUnit, startedAt: number, at: number): number | null {
  if (align === 'step') return chart.steps[at] ?? null;
  if (align === 'tokens') return chart.tokens[at] ?? null;
  return Math.max(0, (chart.times[at] ?? 0) - startedAt);
}

/**
 * The steps of a run that lie in a range of places, with a column more on either side, so that lines run on to the edge;
 * null where the run has none there.
 */
export function stepsWithin(places: ReadonlyMap<number, number>, { from, to }: StepRange): StepRange | null {
  const columns = [...places];
  const first = columns.findLastIndex(([, place]) => place <= (from ?? Number.NEGATIVE_INFINITY));
  const last = columns.findIndex(([, place]) => place >= (to ?? Number.POSITIVE_INFINITY));
  if (columns.length === 0 || last === 0) return null;
  const [start] = columns[first] ?? [];
  const [end] = columns[last] ?? [];
  return { ...(start !== undefined && { from: start }), ...(end !== undefined && { to: end }) };
}

/** The first and last place of some runs, where there are any. */
export function rangeOf(runs: readonly ReadonlyMap<number, number>[]): [number, number] | null {
  const ends = runs.flatMap((places) => [...places.values()].filter((_, at) => at === 0 || at === places.size - 1));
  return ends.length === 0 ? null : [Math.min(...ends), Math.max(...ends)];
}

/** The index of the nearest of ascending places; null if it is further off than its neighbor, as after a run’s end. */
export function nearest(places: readonly number[], place: number): number | null {
  let low = 0;
  let high = places.length - 1;
  if (high < 0) return null;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((places[middle] ?? 0) <= place) low = middle;
    else high = middle;
  }
  const [below = 0, above = 0] = [places[low], places[high]];
  const at = Math.abs(place - below) <= Math.abs(above - place) ? low : high;
  return Math.abs(place - (places[at] ?? 0)) <= above - below ? at : null;
}

/** Two places that are themselves: an axis through them leaves every other where it is. */
const UNIT = { firstStep: 0, lastStep: 1, columnSteps: 1, steps: [0, 1], times: [0, 1], tokens: [0, 1], series: {} };

/** The axis of charts whose places are in a unit already. */
export function axisOf(align: XUnit): XAxis {
  return xAxisOf(UNIT, align, 0);
}
