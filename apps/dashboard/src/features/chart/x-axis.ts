import { scaleLinear } from 'd3-scale';
import { formatDuration, formatNumber, formatSpan } from '../../components/format.ts';
import type { Chart } from '../../trpc/client.tsx';
import { formatTick, linearTicks, stepTicks, timeTicks } from './ticks.ts';

export const X_UNITS = ['step', 'tokens', 'time'] as const;
export type XUnit = (typeof X_UNITS)[number];

interface Tick {
  step: number;
  label: string;
}

/**
 * Where steps stand along the x axis. What charts draw, and the range in the address, is in steps whatever the unit:
 * an axis of tokens or of time only spaces the steps by how many tokens were seen, or how much time had passed, so
 * that it never folds back where an attempt rewinds.
 */
export interface XAxis {
  unit: XUnit;
  /** In steps, tokens, or milliseconds since the run began; rises with the step. */
  placeOf(step: number): number;
  stepAt(place: number): number;
  /** At most so many, between two steps. */
  ticks(from: number, to: number, max: number): Tick[];
  /** A step's place for people; null where the axis is of steps anyway. */
  words(step: number): string | null;
}

export const STEP_AXIS: XAxis = {
  unit: 'step',
  placeOf: (step) => step,
  stepAt: (place) => place,
  ticks: (from, to, max) => {
    const { ticks, increment } = stepTicks(from, to, max);
    return ticks.map((step) => ({ step, label: formatTick(step, increment) }));
  },
  words: () => null,
};

/** The axis of a chart's columns; that of steps where they have no values for `unit`. */
export function xAxisOf(chart: Chart, unit: XUnit, startedAt: number): XAxis {
  if (unit === 'step') return STEP_AXIS;
  const places = unit === 'tokens' ? chart.tokens : chart.times.map((time) => time - startedAt);
  const rising = risingPlaces(chart.steps, places);
  if (rising.size < 2) return STEP_AXIS;
  const placeOf = scaleLinear([...rising.keys()], [...rising.values()]); // on straight lines, the outer two of which go on
  const stepAt = placeOf.invert;
  const { ticks, label, words } = unit === 'tokens' ? TOKENS : TIME;
  return {
    unit,
    placeOf,
    stepAt,
    ticks: (from, to, max) => {
      const chosen = ticks(placeOf(from), placeOf(to), max);
      return chosen.map((place) => ({ step: stepAt(place), label: label(place, chosen) }));
    },
    words: (step) => words(placeOf(step)),
  };
}

const TOKENS = {
  ticks: linearTicks,
  label: (place: number, ticks: readonly number[]) => formatTick(place, (ticks[1] ?? 2 * place) - (ticks[0] ?? 0)),
  words: (place: number) => `${formatNumber(place)} tokens`,
};
const TIME = {
  ticks: timeTicks,
  label: (place: number, _ticks: readonly number[]) => formatSpan(place),
  words: (place: number) => `after ${formatDuration(place)}`,
};

/** The steps at which places rise, and those places: only what rises can be turned round; clocks may stand or jump back. */
export function risingPlaces(steps: readonly number[], places: readonly (number | null)[]): Map<number, number> {
  const rising = new Map<number, number>();
  let last = Number.NEGATIVE_INFINITY;
  steps.forEach((step, at) => {
    const place = places[at] ?? null;
    if (place === null || place <= last) return;
    last = place;
    rising.set(step, place);
  });
  return rising;
}
