'use client';

import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useTRPCClient } from '../../trpc/client.tsx';
import { isMentioned } from './matching.ts';

const SEARCH_PAUSE_MS = 150;
const MAX_FOUND = 8;
/** Before anything is typed, so that the pages are in sight. */
const MAX_NEWEST = 5;

/**
 * The newest runs that mention what is typed. Until the server has answered they are those of the former answer that do.
 * The key is none of the board's: its lists are read again as runs change, and rows must not move under a finger.
 */
export function useFoundRuns(typed: string) {
  const client = useTRPCClient();
  const [search] = useDebouncedValue(typed.trim(), SEARCH_PAUSE_MS);
  const { data, error, isPlaceholderData } = useQuery({
    queryKey: ['palette', search],
    queryFn: ({ signal }) => client.run.list.query({ search, limit: search ? MAX_FOUND : MAX_NEWEST }, { signal }),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  const isAnswer = search === typed.trim() && !isPlaceholderData;
  const runs = data?.runs.filter(
    ({ name, project, owner, tags }) => isAnswer || isMentioned([name, project, owner, ...tags], typed),
  );
  const isFirst = data === undefined && !error;
  return { runs: runs ?? [], isSearching: !error && !isAnswer, isFirst, error };
}
