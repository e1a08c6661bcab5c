import type { AppRouter } from '@evenkeel/api';
import { createTRPCClient, httpLink, TRPCClientError } from '@trpc/client';
import superjson from 'superjson';
import { environment } from './environment.ts';
import { Failure } from './failure.ts';

export type Client = ReturnType<typeof connect>;

/** A tRPC client for a running server; sends EVENKEEL_ACCESS_TOKEN if it is set. */
export function connect(server: string) {
  if (!URL.canParse(server)) throw new Failure(`--server: "${server}" is not a URL such as http://127.0.0.1:4870`);
  const headers = environment.accessToken === null ? {} : { authorization: `Bearer ${environment.accessToken}` };
  const url = new URL('/api/trpc', server).href;
  return createTRPCClient<AppRouter>({ links: [httpLink({ url, headers, transformer: superjson })] });
}

/** Waits for a call to the server; an error becomes one line that names the next step. */
export async function ask<Answer>(server: string, call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof TRPCClientError)) throw error;
    if (error.data) throw new Failure(error.message);
    if (error.meta?.response instanceof Response && error.meta.response.status === 401) {
      throw new Failure(`${server} requires its access token: set EVENKEEL_ACCESS_TOKEN`);
    }
    throw new Failure(
      `no answer from ${server} (${error.message}): start a server with "evenkeel serve", or set another with --server`,
    );
  }
}
