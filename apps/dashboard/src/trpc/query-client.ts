import { defaultShouldDehydrateQuery, QueryCache, QueryClient } from '@tanstack/react-query';
import superjson from 'superjson';

/** One of these for each request on the server, one for the life of the tab in the browser. */
export function createQueryClient(onError?: (error: Error) => void): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({ onError }),
    defaultOptions: {
      // What the server has just rendered need not be asked for again; what changes is told by the live connection.
      queries: { staleTime: 5_000 },
      dehydrate: {
        serializeData: superjson.serialize,
        // Queries still under way are streamed to the browser as they end.
        shouldDehydrateQuery: (query) => defaultShouldDehydrateQuery(query) || query.state.status === 'pending',
      },
      hydrate: { deserializeData: superjson.deserialize },
    },
  });
}
