'use client';

import type { Alert } from '@evenkeel/protocol';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { announce } from '../../components/announcer.tsx';
import { useTRPC } from '../../trpc/client.tsx';

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
  return { acknowledge, resolve, error: acknowledge.error ?? resolve.error };
}
