'use client';

import { useQuery, useSuspenseQuery } from '@tanstack/react-query';
import { notFound } from 'next/navigation';
import { useEffect, useRef } from 'react';
import { withLive } from '../../live/board.ts';
import { useLiveBoard, useLiveRun } from '../../live/use-live.ts';
import { useTRPC } from '../../trpc/client.tsx';
import { isGone } from '../../trpc/query-client.ts';
import { RunAlerts } from '../alert/run-alerts.tsx';
import { Commands } from '../command/commands.tsx';
import { announce } from '../shell/announcer.tsx';
import { Charts } from '../step/charts.tsx';
import { RunFacts } from './run-facts.tsx';
import { RunHeader } from './run-header.tsx';
import { RunHistory } from './run-history.tsx';

/** @param isSketched whether the server had the charts at hand, and has drawn them. */
export function RunPage({ id, isSketched }: { id: string; isSketched: boolean }) {
  const trpc = useTRPC();
  const { data: read, dataUpdatedAt, error } = useSuspenseQuery(trpc.run.get.queryOptions({ run: id }));
  const alerts = useQuery(trpc.alert.list.queryOptions({ run: id })).data ?? [];
  const commands = useQuery(trpc.run.commands.queryOptions({ run: id })).data ?? [];
  const history = useQuery(trpc.run.history.queryOptions({ run: id })).data ?? [];
  const newestAttempt = read.attempts.at(-1)?.number ?? 1;
  const heard = useLiveRun(id);
  const run = withLive(read, dataUpdatedAt, heard);
  useLiveBoard((alerted) => (alerted === id ? run.name : undefined));
  useAnnounced(run.status, `${run.name} is ${run.status}`);
  if (isGone(error)) notFound(); // somebody has deleted it
  return (
    <>
      <RunHeader run={run} heard={heard} commands={commands} />
      <RunAlerts alerts={alerts} newestAttempt={newestAttempt} />
      <Charts run={run} alerts={alerts} isSketched={isSketched} />
      <Commands commands={commands} newestAttempt={newestAttempt} />
      <RunHistory events={history} />
      <RunFacts run={run} />
    </>
  );
}

/** Says `words` when `state` changes, and not when the page opens. */
function useAnnounced(state: string, words: string): void {
  const former = useRef(state);
  useEffect(() => {
    if (former.current !== state) announce(words);
    former.current = state;
  }, [state, words]);
}
