/** Where {@link Tev.quantiles} stand, from the least variable token to the most. */
export const TEV_QUANTILES = [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1] as const;

/** How Token Embedding Variability is spread over the vocabulary. */
export interface Tev {
  /** μ_TEV */
  mean: number;
  /** σ_TEV, the population standard deviation. */
  std: number;
  /** At {@link TEV_QUANTILES}, interpolated linearly. */
  quantiles: number[]; // [9]
}

/**
 * Token Embedding Variability: `TEV_i` is the population standard deviation over the d entries of token i's
 * embedding (Chung et al., arXiv 2409.07787). An entry that is not finite makes the mean NaN.
 * @throws RangeError where the matrix is not of vocabulary × dimension entries.
 */
export function tokenEmbeddingVariability(embedding: Float32Array, vocabulary: number, dimension: number): Tev {
  checkShape(embedding.length, vocabulary, dimension);
  const tev = new Float64Array(vocabulary); // [V]
  for (let token = 0; token < vocabulary; token++) {
    tev[token] = spread(embedding, token * dimension, dimension).std; // [d] -> scalar
  }
  const sorted = tev.toSorted();
  return { ...spread(tev, 0, vocabulary), quantiles: TEV_QUANTILES.map((at) => quantile(sorted, at)) };
}

function checkShape(length: number, vocabulary: number, dimension: number): void {
  const whole = Number.isSafeInteger(vocabulary) && Number.isSafeInteger(dimension);
  if (whole && vocabulary > 0 && dimension > 0 && length === vocabulary * dimension) return;
  throw new RangeError(`an embedding of ${length} entries is not ${vocabulary} × ${dimension}`);
}

/**
 * Mean and population standard deviation of `count` values from `start` on. In two passes, since the mean of the
 * squares less the square of the mean cancels where the spread is small beside the mean. Plain loops: this runs over
 * every entry of the embedding, and iterators would take ten times as long.
 */
function spread(values: Float32Array | Float64Array, start: number, count: number): { mean: number; std: number } {
  let sum = 0;
  for (let at = start; at < start + count; at++) sum += values[at] as number;
  const mean = sum / count;
  let squares = 0;
  for (let at = start; at < start + count; at++) {
    const deviation = (values[at] as number) - mean;
    squares += deviation * deviation;
  }
  return { mean, std: Math.sqrt(squares / count) };
}

function quantile(sorted: Float64Array, at: number): number {
  const position = (sorted.length - 1) * at;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}
