import { quantile, spread } from './statistics.ts';

/** Probabilities of {@link Tev.quantiles}, from the token with the lowest variability to the one with the highest. */
export const TEV_QUANTILES = [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1] as const;

/** The distribution of Token Embedding Variability over the vocabulary. */
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
    tev[token] = spread(embedding, token * dimension, (token + 1) * dimension).std; // [d] -> scalar
  }
  const sorted = tev.toSorted();
  return { ...spread(tev), quantiles: TEV_QUANTILES.map((at) => quantile(sorted, at)) };
}

function checkShape(length: number, vocabulary: number, dimension: number): void {
  const whole = Number.isSafeInteger(vocabulary) && Number.isSafeInteger(dimension);
  if (whole && vocabulary > 0 && dimension > 0 && length === vocabulary * dimension) return;
  throw new RangeError(`an embedding of ${length} entries is not ${vocabulary} × ${dimension}`);
}
