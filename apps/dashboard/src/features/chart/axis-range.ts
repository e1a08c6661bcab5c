/** Min and max. */
export type Extent = readonly [number, number];

/** Room for both; null where there is neither. */
export function joinExtents(one: Extent | null, other: Extent | null): Extent | null {
  if (!one || !other) return one ?? other;
  return [Math.min(one[0], other[0]), Math.max(one[1], other[1])];
}

/** Of all values, or only of what a logarithmic axis can show; null where there is none. */
export function extentOf(values: readonly (number | null | undefined)[], log: boolean): Extent | null {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value == null || (log && !(value > 0))) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/** Of what is positive; null where nothing is. */
export function positiveExtent(values: readonly (number | null)[]): Extent | null {
  return extentOf(values, true);
}

/** A healthy run's loss and TEV stay well within this ratio of max to min. */
const PRESSED_FLAT = 30;

/** Whether a linear axis would press most of a line flat against zero, as that of a run that has diverged. */
export function isPressedFlat(positive: Extent | null): boolean {
  return positive !== null && positive[1] > PRESSED_FLAT * positive[0];
}

/** Less of a difference is rounding. */
const FLAT = 1e-9;

/** Where a linear axis starts and ends to show `low` to `high`; not below zero for what is never negative. */
export function linearRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const flat = high - low <= FLAT * Math.max(Math.abs(low), Math.abs(high));
  const pad = flat ? Math.abs(high) * 0.06 || 1 : (high - low) * 0.06;
  return [low >= 0 ? Math.max(0, low - pad) : low - pad, high + pad];
}

/** Decades that a double holds with all its digits, so that padding ends neither in zero nor in infinity. */
const MIN_DECADE = -307;
const MAX_DECADE = 308;

/** The same for a logarithmic axis; uPlot leaves out what is not positive. */
export function logRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !(low > 0)) return [0.1, 10];
  const [from, to] = [Math.log10(low), Math.log10(high)];
  const pad = Math.max(0.04, (to - from) * 0.06);
  return [10 ** Math.max(MIN_DECADE, from - pad), 10 ** Math.min(MAX_DECADE, to + pad)];
}
