/// <reference path="./compression.d.ts" />
import type { RequestListener, ServerResponse } from 'node:http';
import { constants } from 'node:zlib';
import { appRouter } from '@evenkeel/api';
import { createHTTPHandler } from '@trpc/server/adapters/standalone';
import compression from 'compression';
import { MAX_BATCH_CALLS } from '../src/trpc/batch.ts';
import type { RouteOptions } from './routes.ts';

export const TRPC_PATH = '/api/trpc/';
const MAX_BODY_BYTES = 1024 * 1024;
/** Answers are mostly numbers, which a higher level hardly makes smaller. */
const COMPRESSION = { level: 1, brotli: { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } } };
const CODES = { 400: 'BAD_REQUEST', 429: 'TOO_MANY_REQUESTS', 503: 'SERVICE_UNAVAILABLE' };

/** Answers tRPC's requests, but for those that hold more calls than they may. */
export function trpcListener({ api, sessions, log }: Pick<RouteOptions, 'api' | 'sessions' | 'log'>): RequestListener {
  const answer = createHTTPHandler({
    router: appRouter,
    middleware: compression(COMPRESSION), // it is flushed with every answer that streams
    basePath: TRPC_PATH,
    createContext: ({ req }) => {
      const principal = sessions.viewerOf(req);
      if (!principal) throw new Error('a request without a session reached tRPC');
      return { ...api(principal), answered: { bytes: 0 } };
    },
    maxBodySize: MAX_BODY_BYTES,
    maxBatchSize: MAX_BATCH_CALLS,
    allowMethodOverride: true,
    onError: ({ error, path }) => {
      if (error.code === 'INTERNAL_SERVER_ERROR') log('error', `tRPC ${path} failed`, error);
    },
  });
  return (request, response) => {
    const calls = callsOf(request.url ?? '');
    if (calls <= MAX_BATCH_CALLS) return answer(request, response);
    refuseCalls(response, 400, `the request holds ${calls} calls; the maximum is ${MAX_BATCH_CALLS}`);
  };
}

/** Calls are separated by commas, which may be written %2C. */
function callsOf(url: string): number {
  const [path = ''] = url.split('?');
  return path.split(/,|%2c/i).length;
}

/** Answers all calls of a request with one error, in the form that tRPC's clients read. */
export function refuseCalls(response: ServerResponse, status: keyof typeof CODES, message: string): void {
  const data = { code: CODES[status], httpStatus: status };
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ error: { json: { message, code: -32_000, data } } }));
}
