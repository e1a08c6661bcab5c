import type { BenchRun } from './run-set.ts';

export interface Fold {
  train: BenchRun[];
  test: BenchRun[];
}

/** Parts the runs so that each is tested once, each kind and verdict spread evenly. The same seed gives the same folds. */
export function foldsOf(runs: readonly BenchRun[], count: number, seed: number): Fold[] {
  const groups = new Map<string, BenchRun[]>();
  for (const run of runs) {
    const group = `${run.kind} ${run.onset === null}`;
    groups.set(group, [...(groups.get(group) ?? []), run]);
  }
  const random = mulberry32(seed);
  const dealt = [...groups.keys()].sort().flatMap((group) => shuffled(groups.get(group) ?? [], random));
  return Array.from({ length: count }, (_, fold) => ({
    train: dealt.filter((_, at) => at % count !== fold),
    test: dealt.filter((_, at) => at % count === fold),
  }));
}

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  return values
    .map((value) => [random(), value] as const)
    .sort(([a], [b]) => a - b)
    .map(([, value]) => value);
}

/** https://gist.github.com/tommyettinger/46a874533244883189143505d203312c, public domain. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
