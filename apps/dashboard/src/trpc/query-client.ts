import { isJson } from '@evenkeel/protocol';
import { defaultShouldDehydrateQuery, QueryCache, QueryClient, type QueryFilters } from '@tanstack/react-query';
import { TRPCClientError } from '@trpc/client';
import superjson from 'superjson';

const RETRIES = 3;
/** Where the server is busy, more often: until then it has answered others. */
const BUSY_RETRIES = 6;
const MAX_WAIT_MS = 30_000;

/** The cookie ran out, or the server's access token changed. */
export function isSignedOut(error: Error): boolean {
  const response = error instanceof TRPCClientError ? error.meta?.response : undefined;
  return response instanceof Response && response.status === 401;
}

/** Seconds after which the server, which sheds load, wants to be asked again; null where it does not. */
function retryAfter(error: Error): number | null {
  const response = error instanceof TRPCClientError ? error.meta?.response : undefined;
  const isBusy = response instanceof Response && (response.status === 429 || response.status === 503);
  return isBusy ? Number(response.headers.get('Retry-After') ?? 1) : null;
}

function mayRetry(failures: number, error: Error): boolean {
  const max = retryAfter(error) === null ? RETRIES : BUSY_RETRIES;
  return failures < max && !isSignedOut(error) && !isGone(error);
}

/** Twice as long each time; not all tabs at once where the server is busy. */
function retryDelay(failures: number, error: Error): number {
  const seconds = retryAfter(error);
  const wait = 1_000 * (seconds ?? 1) * 2 ** failures;
  return Math.min(MAX_WAIT_MS, seconds === null ? wait : wait * (0.5 + Math.random()));
}

/** There is no such thing, or no longer. */
export function isGone(error: unknown): boolean {
  return error instanceof TRPCClientError && error.data?.code === 'NOT_FOUND';
}

/** As text, since React would look at each number of a chart on its way to the browser. */
function serializeData(data: unknown): string {
  return isJson(data) ? JSON.stringify({ json: data }) : superjson.stringify(data);
}

/** Reads again what may have changed: also what is being read, since that may have begun before. */
export async function readAgain(queries: QueryClient, which: QueryFilters): Promise<void> {
  await queries.cancelQueries(which); // it is not enough to invalidate what was never read
  await queries.invalidateQueries(which);
}

/** One of these for each request on the server, one for the life of the tab in the browser. */
export function createQueryClient(onError?: (error: Error) => void): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({ onError }),
    defaultOptions: {
      // What the server has just rendered need not be asked for again; the live connection reports what changes.
      queries: {
        staleTime: 5_000,
        retry: mayRetry,
        retryDelay,
      },
      dehydrate: {
        serializeData,
        // Queries still under way are streamed to the browser as they end.
        shouldDehydrateQuery: (query) => defaultShouldDehydrateQuery(query) || query.state.status === 'pending',
      },
      hydrate: { deserializeData: superjson.parse },
    },
  });
}
