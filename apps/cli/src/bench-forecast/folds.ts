import type { BenchRun } from './run-set.ts';

export interface Fold {
  train: BenchRun[];
  test: BenchRun[];
}

/**
 * One fold for each kind of runs, tested on what was learned from all others: runs of a kind are alike, and a model that has
 * seen some knows the rest better than it will know yours.
 */
export function foldsByKind(runs: readonly BenchRun[]): Fold[] {
  const kinds = [...new Set(runs.map(({ kind }) => kind))].sort();
  return kinds.map((left) => ({
    train: runs.filter(({ kind }) => kind !== left),
    test: runs.filter(({ kind }) => kind === left),
  }));
}
