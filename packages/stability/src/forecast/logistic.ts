export interface Example {
  x: readonly number[];
  y: 0 | 1;
  /** How often it counts. */
  weight: number;
}

/** A logistic risk: the weight of 1, then that of each number. */
export type Weights = readonly number[];

/** The logarithm of the odds: w₀ + Σᵢ wᵢ₊₁ xᵢ, for `x` of n numbers and `weights` of n + 1. */
export function logit(weights: Weights, x: readonly number[]): number {
  let sum = weights[0] as number;
  for (let at = 0; at < x.length; at++) sum += (x[at] as number) * (weights[at + 1] as number);
  return sum;
}

/** The logistic function of {@link logit}, from 0 to 1. */
export function probability(weights: Weights, x: readonly number[]): number {
  return 1 / (1 + Math.exp(-logit(weights, x)));
}

/**
 * Weighted logistic regression with an L2 penalty, by Newton's method (Bishop, Pattern Recognition and Machine Learning,
 * 2006, section 4.3.3): at most 50 rounds, or until no weight changes by 1e-9.
 * @param examples all with `x` of the same n numbers.
 * @param ridge the weight of the penalty, which keeps the result finite where a plane separates all examples.
 * @returns n + 1 weights, that of 1 first.
 */
export function fitLogistic(examples: readonly Example[], ridge = 1e-3): Weights {
  const size = (examples[0]?.x.length ?? 0) + 1;
  let weights: number[] = Array.from({ length: size }, () => 0);
  for (let round = 0; round < 50; round++) {
    const { gradient, hessian } = slopes(examples, weights, ridge);
    const change = solve(hessian, gradient);
    weights = weights.map((weight, at) => weight + (change[at] as number));
    if (Math.max(...change.map(Math.abs)) < 1e-9) break;
  }
  return weights;
}

function slopes(examples: readonly Example[], weights: Weights, ridge: number) {
  const gradient = weights.map((weight) => -ridge * weight);
  const hessian = weights.map((_, row) => weights.map((_, column) => (row === column ? ridge : 0)));
  for (const { x, y, weight } of examples) {
    const p = probability(weights, x);
    const [error, curvature] = [weight * (y - p), weight * p * (1 - p)];
    for (let row = 0; row < weights.length; row++) {
      const value = row === 0 ? 1 : (x[row - 1] as number);
      gradient[row] = (gradient[row] as number) + error * value;
      const line = hessian[row] as number[];
      for (let column = 0; column < weights.length; column++) {
        const other = column === 0 ? 1 : (x[column - 1] as number);
        line[column] = (line[column] as number) + curvature * value * other;
      }
    }
  }
  return { gradient, hessian };
}

/** Gauss-Jordan; the ridge keeps every pivot above 0. */
function solve(matrix: readonly number[][], vector: readonly number[]): number[] {
  const rows = matrix.map((row, at) => [...row, vector[at] as number]);
  for (const [pivot, line] of rows.entries()) {
    const scale = line[pivot] as number;
    for (let at = 0; at < line.length; at++) line[at] = (line[at] as number) / scale;
    for (const [other, row] of rows.entries()) {
      if (other === pivot) continue;
      const factor = row[pivot] as number;
      for (let at = 0; at < row.length; at++) row[at] = (row[at] as number) - factor * (line[at] as number);
    }
  }
  return rows.map((row) => row.at(-1) as number);
}
