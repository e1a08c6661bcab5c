'use client';

import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useEffectEvent } from 'react';
import { coalesce } from '../../live/coalesce.ts';
import { live } from '../../live/connection.ts';
import { type ConsoleLines, useTRPC, useTRPCClient } from '../../trpc/client.tsx';
import { mergeLines } from './console-lines.ts';
import { consoleRequest, readAllLines } from './console-request.ts';

const READ_EVERY_MS = 500;

/** What changes is read by its revision. */
const FOLLOWED = { staleTime: Number.POSITIVE_INFINITY, structuralSharing: false };

/**
 * The last lines of a run's console output, and what comes.
 * @param isWhole all lines that are kept, once they have been read; the last are shown until then.
 */
export function useConsole(run: string, isWhole: boolean) {
  const queries = useQueryClient();
  const client = useTRPCClient();
  const last = useQuery(useTRPC().console.lines.queryOptions(consoleRequest(run), FOLLOWED));
  const wholeKey = ['console', 'whole', run];
  const readAll = (request: { run: string; after?: number }) =>
    readAllLines((page) => client.console.lines.query(page), request);
  const whole = useQuery({ ...FOLLOWED, queryKey: wholeKey, queryFn: () => readAll({ run }), enabled: isWhole });
  const lastKey = useTRPC().console.lines.queryKey(consoleRequest(run));
  const isAll = whole.data !== undefined;
  const data = whole.data ?? last.data;
  const readNews = useEffectEvent(async () => {
    const key = isAll ? wholeKey : lastKey;
    const kept = queries.getQueryData<ConsoleLines>(key);
    if (!kept) return; // it is being read
    const news = await readAll({ run, after: kept.revision });
    queries.setQueryData<ConsoleLines>(key, (current) => current && mergeLines(current, news));
  });
  const isRead = data !== undefined;
  // biome-ignore lint/correctness/useExhaustiveDependencies: what came while all lines were read is read after that
  useEffect(() => {
    if (!isRead) return; // what comes meanwhile is read after that
    let before: Promise<unknown> = Promise.resolve(); // one after the other, or an older text could come last
    const readSoon = coalesce(() => {
      before = before.then(readNews).catch(() => {}); // the next message, or connection, reads it
    }, READ_EVERY_MS);
    return live.watch(run, { watching: readSoon, console: readSoon });
  }, [run, isRead, isAll]);
  return { data, last, whole };
}
