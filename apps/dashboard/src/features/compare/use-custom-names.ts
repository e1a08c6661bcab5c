import { type UseQueryResult, useQueries } from '@tanstack/react-query';
import { useTRPC } from '../../trpc/client.tsx';
import { customNamesQuery } from './compare-queries.ts';
import type { ComparedRun } from './use-compared.ts';

interface Read {
  names: string[];
  total: number;
}

/** The first names of the custom scalars that any of the runs has, so many, or more where the runs have others. */
export function useCustomNames(runs: readonly ComparedRun[], scalar: string | null, limit: number) {
  const trpc = useTRPC();
  return useQueries({
    queries: runs.map(({ id, run }) =>
      customNamesQuery(trpc, { run: id, isLive: run.status === 'running' }, scalar, limit),
    ),
    combine,
  });
}

function combine(results: readonly UseQueryResult<Read, unknown>[]) {
  const read = results.flatMap(({ data }) => data ?? []);
  const names = [...new Set(read.flatMap((each) => each.names))].toSorted();
  return {
    names,
    /** Whether these are all. */
    isWhole: read.every((each) => each.names.length === each.total),
    /** At least so many there are. */
    total: Math.max(names.length, ...read.map(({ total }) => total)),
  };
}
