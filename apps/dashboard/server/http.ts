import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { CLOSED_POLICY } from './pages.ts';
import { type RouteOptions, routesOf } from './routes.ts';
import { parseTarget } from './target.ts';

const HEADERS = {
  'Content-Security-Policy': CLOSED_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'same-origin',
};
/** Hono replaces no global object, since Next.js has them too, and leaves what is unread of a request to Node. */
const HONO = { hostname: 'server', overrideGlobalObjects: false, autoCleanupIncoming: false };

/** All HTTP but socket.io's. */
export function httpListener(options: RouteOptions): RequestListener {
  const routes = routesOf(options);
  const fail = (request: IncomingMessage, response: ServerResponse, error: unknown) => {
    options.log('error', `${request.method} ${request.url?.split('?')[0]} failed`, error);
    if (response.headersSent) response.destroy();
    else reply(response, 500, 'The server failed. Its log says why.');
    return RESPONSE_ALREADY_SENT;
  };
  return (request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    // On the path as it was sent: whatever parses a URL resolves the dot segments that are to be refused.
    const target = parseTarget(request.url ?? '');
    if ('problem' in target) return reply(response, 400, target.problem);
    request.url = target.path + target.search; // Hono, tRPC and Next.js read it again, and must read the same
    // Hono would refuse a Host of which no URL can be made: to judge it is up to the origin guard.
    const { host } = request.headers;
    delete request.headers.host;
    const listener = getRequestListener(async (asked) => {
      request.headers.host = host;
      try {
        return await routes.fetch(asked, { incoming: request, outgoing: response });
      } catch (error) {
        return fail(request, response, error);
      }
    }, HONO);
    void listener(request, response);
  };
}

function reply(response: ServerResponse, status: number, error: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ error }));
}
