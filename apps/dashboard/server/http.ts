import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { type ApiContext, appRouter } from '@evenkeel/api';
import { type Database, pingDatabase } from '@evenkeel/db';
import type { Log } from '@evenkeel/gateway';
import { createHTTPHandler } from '@trpc/server/adapters/standalone';
import { z } from 'zod';
import type { Assets } from './assets.ts';
import type { Door } from './door.ts';
import type { Sessions } from './session.ts';

const MAX_BODY_BYTES = 1024 * 1024;
/** What a browser needs to show the sign-in page. */
const OPEN_PATHS = /^\/(?:_next\/static\/|signin$|icon\.svg$|favicon\.ico$)/;
const HEADERS = {
  'Content-Security-Policy':
    "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'same-origin',
};

export interface HttpOptions {
  door: Door;
  sessions: Sessions;
  api: ApiContext;
  log: Log;
  version: string;
  pages: RequestListener;
  assets: Assets;
}

/** All HTTP but socket.io's: health, sign-in, tRPC, scripts and styles, and Next.js for the rest. */
export function httpListener(options: HttpOptions): RequestListener {
  const trpc = createHTTPHandler({
    router: appRouter,
    basePath: '/api/trpc/',
    createContext: () => options.api,
    maxBodySize: MAX_BODY_BYTES,
    allowMethodOverride: true,
    onError: ({ error, path }) => {
      if (error.code === 'INTERNAL_SERVER_ERROR') options.log('error', `tRPC ${path} failed`, error);
    },
  });
  return (request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    route(options, trpc, request, response).catch((error) => {
      options.log('error', `${request.method} ${request.url?.split('?')[0]} failed`, error);
      if (!response.headersSent) reply(response, 500, 'The server failed. Its log says why.');
      else response.destroy();
    });
  };
}

async function route(
  { door, sessions, api, version, pages, assets }: HttpOptions,
  trpc: RequestListener,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const problem = door.problem(request);
  if (problem) return reply(response, 403, problem);
  const [path = ''] = (request.url ?? '').split('?');
  // What looks like another host's address to a URL parser must not mean one thing here and another to Next.js.
  if (!/^\/(?![/\\])/.test(path)) return reply(response, 400, 'The path of a request starts with one slash.');
  if (path === '/healthz') return replyHealth(response, api.db, version);
  // What browsers ask for by themselves, before they have read which icon a page names.
  if (path === '/favicon.ico') return void response.writeHead(308, { Location: '/icon.svg' }).end();
  if (path === '/api/session') return signIn(sessions, request, response);
  if (!sessions.mayView(request) && !OPEN_PATHS.test(path)) return askToSignIn(request, response, path);
  if (path.startsWith('/api/trpc/')) trpc(request, response);
  else if (!assets.answer(path, request, response)) pages(request, response);
}

/** 200 while steps can be stored, 503 otherwise. */
async function replyHealth(response: ServerResponse, db: Database, version: string): Promise<void> {
  const isAlive = await pingDatabase(db).then(
    () => true,
    () => false,
  );
  response.writeHead(isAlive ? 200 : 503, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ status: isAlive ? 'ok' : 'failing', version, database: db.kind }));
}

function askToSignIn(request: IncomingMessage, response: ServerResponse, path: string): void {
  if (request.method !== 'GET' || path.startsWith('/api/')) {
    reply(response, 401, 'Sign in first, or send the access token as "Authorization: Bearer …".');
    return;
  }
  const next = request.url === '/' ? '' : `?next=${encodeURIComponent(request.url ?? '/')}`;
  response.writeHead(303, { Location: `/signin${next}` }).end();
}

const signInRequest = z.object({ token: z.string().max(1_000) });

async function signIn(sessions: Sessions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = signInRequest.safeParse(request.method === 'POST' ? await readJson(request) : undefined);
  if (!body.success) return reply(response, 400, 'POST {"token": "…"} as JSON.');
  const answer = sessions.signIn(body.data.token, request);
  if (answer === 'wait') return reply(response, 429, 'Too many wrong tokens. Wait a minute.');
  if (answer === 'wrong') return reply(response, 401, 'That is not the access token.');
  response.writeHead(204, { 'Set-Cookie': answer.cookie }).end();
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}

function reply(response: ServerResponse, status: number, error: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ error }));
}
