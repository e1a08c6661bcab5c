import type { AppRouter } from '@evenkeel/api';
import { createTRPCClient, httpLink } from '@trpc/client';
import superjson from 'superjson';

/** The API of a server that everybody may view. */
export function connect(url: string) {
  return createTRPCClient<AppRouter>({ links: [httpLink({ url: `${url}/api/trpc`, transformer: superjson })] });
}
