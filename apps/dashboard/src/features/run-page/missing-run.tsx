'use client';

import { runId } from '@evenkeel/protocol';
import { useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { useParams } from 'next/navigation';
import { useEffect } from 'react';
import { Message } from '../../components/message.tsx';
import { useLiveBoard } from '../../live/use-live.ts';
import { useTRPC } from '../../trpc/client.tsx';

/** In place of a run that the server does not have. Shows the run once the server does. */
export function MissingRun() {
  const { run } = useParams<{ run: string }>();
  const isPossible = runId.safeParse(run).success;
  const { isSuccess } = useQuery(
    useTRPC().run.get.queryOptions({ run }, { enabled: isPossible, refetchOnMount: 'always', retry: false }),
  );
  useLiveBoard(() => undefined); // reads the run again whenever some run begins
  useEffect(() => {
    if (isSuccess) window.location.reload(); // Next.js shows what is not found until the path changes, refreshed or not
  }, [isSuccess]);
  return (
    <Message title="There is no such run" action={<Link href="/">See all runs</Link>}>
      {isPossible
        ? 'It has sent nothing yet, or somebody has deleted it, or it sends to another server. It shows up here with its first message.'
        : 'The address does not hold the id of a run.'}
    </Message>
  );
}
