'use client';

import { alert } from '@evenkeel/protocol';
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useEffectEvent, useState } from 'react';
import { z } from 'zod';
import { announce } from '../../components/announcer.tsx';
import { coalesce } from '../../live/coalesce.ts';
import { live } from '../../live/connection.ts';
import { type ListedAlert, useTRPC } from '../../trpc/client.tsx';
import type { InboxRequest } from './inbox-request.ts';
import { countNews, newStableList, refilled, refreshed, type StableList, without } from './stable-list.ts';

const MIN_READ_INTERVAL_MS = 500;

/** What may change in an alert while it is shown; dates come as text. */
const liveChange = alert
  .pick({ id: true, status: true, severity: true, message: true, note: true, notedBy: true })
  .extend({
    notedAt: z.coerce.date().nullable(),
    feedback: alert.shape.feedback,
    feedbackBy: alert.shape.feedbackBy,
    feedbackAt: z.coerce.date().nullable(),
  });
type LiveChange = z.infer<typeof liveChange>;

/** The alerts of an address, steady under the cursor, and what can be done with them. */
export function useInbox(request: InboxRequest) {
  const key = JSON.stringify(request);
  const read = useQuery(useTRPC().alert.list.queryOptions(request, { placeholderData: keepPreviousData }));
  const latest = read.isPlaceholderData ? undefined : read.data;
  const [list, setList] = useState<StableList<ListedAlert> | null>(
    latest ? newStableList(key, latest, request.limit) : null,
  );
  if (latest && list?.key !== key) setList(newStableList(key, latest, request.limit));
  else if (latest && list?.alerts.length === 0 && countNews(list, latest) > 0) setList(refilled(list, latest));

  const change = (changes: readonly Pick<ListedAlert, 'id'>[]) => setList((now) => now && patched(now, changes));
  useLiveAlerts((changed) => change([changed]));
  const verbs = useVerbs((changed) => {
    change(changed);
    setList((now) => now && without(now, changed, request.status));
  });
  const shown = list && latest && list.key === key ? refreshed(list, latest) : list;
  return {
    alerts: shown?.alerts ?? null,
    news: list && latest && list.key === key && request.offset === 0 ? countNews(list, latest) : 0,
    showNews: () => latest && setList(newStableList(key, latest, request.limit)),
    error: read.data ? null : read.error,
    retry: read.refetch,
    ...verbs,
  };
}

function patched(list: StableList<ListedAlert>, changes: readonly Pick<ListedAlert, 'id'>[]): StableList<ListedAlert> {
  const byId = new Map(changes.map((each) => [each.id, each]));
  return { ...list, alerts: list.alerts.map((each) => ({ ...each, ...byId.get(each.id) })) };
}

/** Reads alerts again when some have changed, and passes on what became of each. */
function useLiveAlerts(onChange: (change: LiveChange) => void): void {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const apply = useEffectEvent((message: unknown) => {
    const change = liveChange.safeParse(message).data;
    if (change) onChange(change);
  });
  useEffect(() => {
    const read = coalesce(() => {
      void queries.invalidateQueries(trpc.alert.pathFilter());
      void queries.invalidateQueries(trpc.project.list.queryFilter()); // an alert may be the first of its project
    }, MIN_READ_INTERVAL_MS);
    const stops = [
      live.onAlert((message) => {
        apply(message);
        read();
      }),
      live.onRefused(read), // whoever may not read is sent to sign in
      live.onConnected(read),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, [trpc, queries]);
}

function useVerbs(onChanged: (changed: readonly Pick<ListedAlert, 'id' | 'status' | 'openedAt'>[]) => void) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const announced = (verb: string) => ({
    onSuccess: (changed: readonly Pick<ListedAlert, 'id' | 'status' | 'openedAt'>[]) => {
      announce(`${changed.length} ${verb}`);
      onChanged(changed);
      void queries.invalidateQueries(trpc.alert.pathFilter());
      void queries.invalidateQueries(trpc.run.pathFilter());
      void queries.invalidateQueries(trpc.project.record.pathFilter());
    },
  });
  const acknowledge = useMutation(trpc.alert.acknowledgeMany.mutationOptions(announced('acknowledged')));
  const resolve = useMutation(trpc.alert.resolveMany.mutationOptions(announced('resolved')));
  const mark = useMutation(trpc.alert.mark.mutationOptions(announced('marked')));
  return { acknowledge, resolve, mark };
}
