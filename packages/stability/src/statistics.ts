/** NaN of nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * Mean and population standard deviation of the values from one place up to another; NaN of nothing. In two passes,
 * since the mean of the squares less the square of the mean cancels where the deviation is small beside the mean. Plain
 * loops: this runs over every entry of an embedding, and iterators would take ten times as long.
 */
export function spread(values: ArrayLike<number>, from = 0, to: number = values.length): { mean: number; std: number } {
  let sum = 0;
  for (let at = from; at < to; at++) sum += values[at] as number;
  const mean = sum / (to - from);
  let squares = 0;
  for (let at = from; at < to; at++) {
    const deviation = (values[at] as number) - mean;
    squares += deviation * deviation;
  }
  return { mean, std: Math.sqrt(squares / (to - from)) };
}

/** The mean of the two in the middle where the count is even; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = sortedValues(values);
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN;
  const upper = sorted[sorted.length >> 1] ?? Number.NaN;
  return lower === upper ? lower : lower / 2 + upper / 2; // their sum may be infinite
}

/** The greater of the two in the middle where the count is even, so always one of the values; NaN of nothing. */
export function upperMedian(values: readonly number[]): number {
  const sorted = sortedValues(values);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** Interpolated linearly between the two nearest values; NaN of nothing. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/** The nearest value, so always one of them; NaN of nothing. */
export function nearestQuantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN;
}

/** Up to so many values are sorted by insertion: a typed array of them takes ten times as long, and every step pays for it. */
const FEW = 32;

function sortedValues(values: readonly number[]): ArrayLike<number> {
  return values.length > FEW ? Float64Array.from(values).sort() : insertionSorted(values);
}

function insertionSorted(values: readonly number[]): number[] {
  const sorted = values.slice(); // as long as it will be: one that grows is copied four times
  for (let end = 1; end < sorted.length; end++) {
    const value = sorted[end] as number;
    let at = end;
    for (; at > 0 && (sorted[at - 1] as number) > value; at--) sorted[at] = sorted[at - 1] as number;
    sorted[at] = value;
  }
  return sorted;
}
