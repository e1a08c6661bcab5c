'use client';

import type { AppRouter } from '@evenkeel/api';
import { type QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createTRPCClient, httpBatchStreamLink } from '@trpc/client';
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server';
import { createTRPCContext, type TRPCOptionsProxy } from '@trpc/tanstack-react-query';
import { type ReactNode, useState } from 'react';
import superjson from 'superjson';
import { MAX_BATCH_CALLS } from './batch.ts';
import { createQueryClient, isSignedOut } from './query-client.ts';

const { TRPCProvider, useTRPC, useTRPCClient } = createTRPCContext<AppRouter>();

export { useTRPC, useTRPCClient };

/** The queries of the router, of the server or of the browser. */
export type Queries = TRPCOptionsProxy<AppRouter>;

export type RunInputs = inferRouterInputs<AppRouter>['run'];

type Outputs = inferRouterOutputs<AppRouter>;
export type RunSummary = Outputs['run']['list']['runs'][number];
export type RunDetail = Outputs['run']['get'];
export type RunCommand = Outputs['run']['commands'][number];
export type RunEvent = Outputs['run']['history'][number];
export type ListedAlert = Outputs['alert']['list'][number];
export type ConsoleLines = Outputs['console']['lines'];
export type ConsoleRow = ConsoleLines['lines'][number];
export type SavedView = Outputs['view']['list'][number];
export type TriedRuns = Outputs['project']['tryRules'];
export type TriedRun = TriedRuns['runs'][number];
export type AlertRecord = Outputs['project']['record'][number];
export type ReportedNames = Outputs['project']['names']['reported'];
export type Chart = Outputs['step']['chart'];
export type ForecastPoint = Outputs['step']['forecasts'][number];
export type ArrayChart = Outputs['step']['array'];
export type SeriesKey = keyof Chart['series'];
export type ChartSeries = NonNullable<Chart['series'][SeriesKey]>;

export function DataProvider({ children }: { children: ReactNode }) {
  const queryClient = browserQueryClient();
  // Streamed: none of what a page asks for together waits for the slowest. By POST, since an address has its limits.
  const [client] = useState(() =>
    createTRPCClient<AppRouter>({
      links: [
        httpBatchStreamLink({
          url: '/api/trpc',
          transformer: superjson,
          methodOverride: 'POST',
          maxItems: MAX_BATCH_CALLS,
        }),
      ],
    }),
  );
  return (
    <QueryClientProvider client={queryClient}>
      <TRPCProvider trpcClient={client} queryClient={queryClient}>
        {children}
      </TRPCProvider>
    </QueryClientProvider>
  );
}

let kept: QueryClient | undefined;

/** Kept outside React: a page that suspends before it first mounts would lose its state. */
function browserQueryClient(): QueryClient {
  if (typeof window === 'undefined') return createQueryClient();
  kept ??= createQueryClient(signInAgain);
  return kept;
}

function signInAgain(error: Error): void {
  if (!isSignedOut(error)) return;
  const here = window.location.pathname + window.location.search;
  window.location.assign(`/signin?next=${encodeURIComponent(here)}`);
}
