export interface Example {
  x: readonly number[];
  y: 0 | 1;
}

/** The weight of 1, then of each number. */
export type Weights = readonly number[];

export function logit(weights: Weights, x: readonly number[]): number {
  return x.reduce((sum, value, at) => sum + value * (weights[at + 1] as number), weights[0] as number);
}

/** Logistic regression by Newton's method, with a small ridge. */
export function fitLogistic(examples: readonly Example[]): Weights {
  const size = (examples[0]?.x.length ?? 0) + 1;
  let weights: number[] = Array.from({ length: size }, () => 0);
  for (let round = 0; round < 30; round++) {
    const { gradient, hessian } = slopes(examples, weights);
    const change = solve(hessian, gradient);
    weights = weights.map((weight, at) => weight + (change[at] as number));
    if (Math.max(...change.map(Math.abs)) < 1e-6) break;
  }
  return weights;
}

function slopes(examples: readonly Example[], weights: Weights): { gradient: number[]; hessian: number[][] } {
  const ridge = 1;
  const gradient = weights.map((weight) => -ridge * weight);
  const hessian = weights.map((_, row) => weights.map((_, column) => (row === column ? ridge : 0)));
  for (const { x, y } of examples) {
    const p = 1 / (1 + Math.exp(-logit(weights, x)));
    const input = [1, ...x];
    for (let row = 0; row < input.length; row++) {
      const value = input[row] as number;
      gradient[row] = (gradient[row] as number) + (y - p) * value;
      const line = hessian[row] as number[];
      for (let column = 0; column < input.length; column++)
        line[column] = (line[column] as number) + p * (1 - p) * value * (input[column] as number);
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
