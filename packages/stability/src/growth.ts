/** A value at a step; both positive. */
export interface Point {
  step: number;
  value: number;
}

/**
 * The exponent p of the power law `value ∝ step^p` through some points: the least-squares slope of log value against
 * log step. Least squares and not the end points, which one noisy step would sway.
 */
export function localExponent(points: readonly Point[]): number {
  const x = points.map(({ step }) => Math.log(step));
  const y = points.map(({ value }) => Math.log(value));
  const meanX = mean(x);
  const meanY = mean(y);
  let covariance = 0;
  let variance = 0;
  x.forEach((value, at) => {
    const dx = value - meanX;
    covariance += dx * ((y[at] as number) - meanY);
    variance += dx * dx;
  });
  return covariance / variance;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
