'use client';

import type { Alert } from '@evenkeel/protocol';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { announce } from '../../components/announcer.tsx';
import { useTRPC } from '../../trpc/client.tsx';
import { MARK_WORDS } from './outcome-words.ts';

/** What a person does about one alert; whatever shows it is read again. */
export function useAlertVerbs() {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const onSuccess = async ({ rule, status }: Alert) => {
    announce(`${rule} ${status}`);
    await Promise.all([
      queries.invalidateQueries(trpc.alert.pathFilter()),
      queries.invalidateQueries(trpc.run.pathFilter()),
    ]);
  };
  const acknowledge = useMutation(trpc.alert.acknowledge.mutationOptions({ onSuccess }));
  const resolve = useMutation(trpc.alert.resolve.mutationOptions({ onSuccess }));
  const mark = useMutation(
    trpc.alert.mark.mutationOptions({
      onSuccess: async (marked) => {
        for (const { rule, feedback } of marked)
          announce(`${rule} ${feedback ? MARK_WORDS[feedback] : 'not marked any more'}`);
        await queries.invalidateQueries(trpc.alert.pathFilter());
        await queries.invalidateQueries(trpc.project.record.pathFilter());
      },
    }),
  );
  return { acknowledge, resolve, mark, error: acknowledge.error ?? resolve.error };
}
