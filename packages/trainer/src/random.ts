/** The uses of streams, so that no two draw the same numbers. */
export const STREAMS = { weights: 1, batches: 2 } as const;

/**
 * Uniform numbers in [0, 1) that depend only on the seeds: the same on every backend and machine. With a stream of its
 * own for each use (`randomStream(seed, STREAMS.batches, step, microBatch)`), a checkpoint needs no random state.
 * Generator: mulberry32 (Tommy Ettinger, public domain); the seeds are mixed by MurmurHash3's finalizer.
 */
export function randomStream(...seeds: readonly number[]): () => number {
  let state = seeds.reduce((hash, seed) => mix(hash ^ mix(seed + 0x9e3779b9)), 0);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws from N(0, std²) by the Box–Muller transform. */
export function normals(count: number, std: number, random: () => number): Float32Array {
  const values = new Float32Array(count);
  for (let at = 0; at < count; at += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    values[at] = radius * Math.cos(angle);
    if (at + 1 < count) values[at + 1] = radius * Math.sin(angle);
  }
  return values;
}

function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
