/** Percentiles of durations in milliseconds; null where nothing was measured. */
export interface Percentiles {
  p50: number | null;
  p99: number | null;
  max: number | null;
}

export function percentilesOf(times: readonly number[]): Percentiles {
  const sorted = Float64Array.from(times).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
