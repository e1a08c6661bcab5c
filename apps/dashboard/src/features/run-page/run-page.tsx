'use client';

import { useQuery, useSuspenseQuery } from '@tanstack/react-query';
import { notFound } from 'next/navigation';
import { useEffect, useRef, useState } from 'react';
import { announce } from '../../components/announcer.tsx';
import { withLive } from '../../live/board.ts';
import { useLiveBoard, useLiveRun } from '../../live/use-live.ts';
import { useTRPC } from '../../trpc/client.tsx';
import { isGone } from '../../trpc/query-client.ts';
import { RunAlerts } from '../alert/run-alerts.tsx';
import { Charts } from '../chart/charts.tsx';
import { Commands } from '../command/commands.tsx';
import { ConsolePanel } from '../console/console-panel.tsx';
import { isReadFirst } from '../console/console-request.ts';
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
  const live = useLiveRun(id);
  const run = withLive(read, dataUpdatedAt, live);
  useLiveBoard((alerted) => (alerted === id ? run.name : undefined));
  useAnnounced(run.status, `${run.name} is ${run.status}`);
  // As the page opens: what is being read does not move when a run ends.
  const [consoleFirst] = useState(() => isReadFirst(read.status));
  const console = <ConsolePanel run={run} isFirst={consoleFirst} />;
  if (isGone(error)) notFound(); // somebody has deleted it
  return (
    <>
      <RunHeader run={run} live={live} commands={commands} />
      <RunAlerts alerts={alerts} newestAttempt={newestAttempt} />
      {consoleFirst && console}
      <Charts run={run} alerts={alerts} isSketched={isSketched} />
      {!consoleFirst && console}
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
