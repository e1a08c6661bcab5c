import { setTimeout as sleep } from 'node:timers/promises';
import type { AppRouter } from '@evenkeel/api';
import { dehydrate } from '@tanstack/react-query';
import { createTRPCClient, TRPCClientError, type TRPCLink } from '@trpc/client';
import { observable } from '@trpc/server/observable';
import { createTRPCOptionsProxy } from '@trpc/tanstack-react-query';
import { notFound } from 'next/navigation';
import { connection } from 'next/server';
import { cache, type ReactNode } from 'react';
import type { Queries } from './client.tsx';
import { HydrateHere } from './hydrate.tsx';
import { createQueryClient } from './query-client.ts';

type Procedure = (input: unknown) => Promise<unknown>;
type Caller = Record<string, Record<string, Procedure>>;

/** What the composition root leaves for the pages, whose modules Next loads apart from its own. */
const HANDOVER = Symbol.for('evenkeel.caller');

function procedureAt(path: string): Procedure {
  const caller = (globalThis as { [HANDOVER]?: Caller })[HANDOVER];
  if (!caller) throw new Error('The pages run only inside the Evenkeel server: start it with `evenkeel serve`.');
  const [noun = '', verb = ''] = path.split('.');
  const procedure = caller[noun]?.[verb];
  if (!procedure) throw new Error(`no procedure ${path}`);
  return procedure;
}

/** Calls the router in this process; no HTTP. */
const localLink: TRPCLink<AppRouter> =
  () =>
  ({ op }) =>
    observable((observer) => {
      procedureAt(op.path)(op.input).then(
        (data) => {
          observer.next({ result: { type: 'data', data } });
          observer.complete();
        },
        (error) => observer.error(TRPCClientError.from(error)),
      );
    });

export const getQueryClient = cache(() => createQueryClient());

/** For pages: they read through the same queries as the browser, which takes over what they have read. */
export async function serverTRPC(): Promise<Queries> {
  await connection(); // never at build time
  return createTRPCOptionsProxy({
    client: createTRPCClient<AppRouter>({ links: [localLink] }),
    queryClient: getQueryClient(),
  });
}

export function Hydrate({ children }: { children: ReactNode }) {
  return <HydrateHere state={dehydrate(getQueryClient())}>{children}</HydrateHere>;
}

const CHART_WAIT_MS = 150;

/** Whether a page's charts were read soon enough to come with it drawn; what takes longer streams after it. */
export function readInTime(charts: Promise<unknown>): Promise<boolean> {
  return Promise.race([charts.then(() => true), sleep(CHART_WAIT_MS, false)]);
}

/** What is read, or the page that says that there is nothing: no such thing, or no id at all. */
export async function orNotFound<Read>(reading: Promise<Read>): Promise<Read> {
  try {
    return await reading;
  } catch (error) {
    const { code } = (error instanceof Error ? error.cause : null) as { code?: string };
    if (code === 'NOT_FOUND' || code === 'BAD_REQUEST') notFound();
    throw error;
  }
}
