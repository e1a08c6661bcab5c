import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { ApiContext } from '@evenkeel/api';
import type { Log } from '@evenkeel/ingest';
import type { Principal } from '@evenkeel/protocol';
import { z } from 'zod';
import { Admission, type Refusal } from './admission.ts';
import { ASSETS_PATH, type Assets } from './assets.ts';
import type { Door } from './door.ts';
import { HEALTH_PATHS, type HealthChecks, replyHealth } from './health.ts';
import { CLOSED_POLICY, type Pages, servePage } from './pages.ts';
import type { Sessions } from './session.ts';
import { parseTarget } from './target.ts';
import { refuseCalls, TRPC_PATH, trpcListener } from './trpc.ts';

/** What signing in may send, and in what time: nobody has signed in yet. */
const SIGN_IN_BYTES = 4 * 1024;
const SIGN_IN_MS = 10_000;
const RETRY_AFTER_SECONDS = 2;
/** The pages that need no session, exactly; like the assets and what is answered before them. All else needs one. */
const OPEN_PAGES = new Set(['/signin', '/icon.svg']);
const HEADERS = {
  'Content-Security-Policy': CLOSED_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'same-origin',
};

export interface HttpOptions {
  door: Door;
  sessions: Sessions;
  /** The context of one request. */
  api: (principal: Principal) => ApiContext;
  log: Log;
  health: HealthChecks;
  pages: Pages;
  assets: Assets;
}

/** All HTTP but socket.io's: health, sign-in, tRPC, scripts and styles, and Next.js for the rest. */
export function httpListener(options: HttpOptions): RequestListener {
  const trpc = trpcListener(options);
  const admission = new Admission();
  return (request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    route(options, trpc, admission, request, response).catch((error) => {
      options.log('error', `${request.method} ${request.url?.split('?')[0]} failed`, error);
      if (!response.headersSent) reply(response, 500, 'The server failed. Its log says why.');
      else response.destroy();
    });
  };
}

async function route(
  { door, sessions, health, pages, assets }: HttpOptions,
  trpc: RequestListener,
  admission: Admission,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const target = parseTarget(request.url ?? '');
  if ('problem' in target) return reply(response, 400, target.problem);
  const { path } = target;
  request.url = path + target.search; // tRPC and Next.js read it again, and must read the same
  const problem = door.problem(request);
  if (problem) return reply(response, 403, problem);
  if (HEALTH_PATHS.includes(path)) return replyHealth(health, path, response);
  // What browsers ask for by themselves, before they have read which icon a page names.
  if (path === '/favicon.ico') return void response.writeHead(308, { Location: '/icon.svg' }).end();
  if (path === '/api/session') return signIn(sessions, request, response);
  if (path.startsWith(ASSETS_PATH)) return assets.answer(path, request, response);
  if (!OPEN_PAGES.has(path) && !sessions.mayView(request)) return askToSignIn(request, response, path);
  const isTrpc = path.startsWith(TRPC_PATH);
  if (!isTrpc && request.method !== 'GET' && request.method !== 'HEAD')
    return reply(response, 405, 'A page can only be read.');
  const refusal = await admission.enter(sessions.viewer(request), response);
  if (refusal) refuse(response, refusal, isTrpc);
  else if (isTrpc) trpc(request, response);
  else await admission.keepUntil(response, servePage(pages, request, response));
}

function refuse(response: ServerResponse, { status, error }: Refusal, isTrpc: boolean): void {
  response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
  if (isTrpc) refuseCalls(response, status, error);
  else reply(response, status, error);
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

/** Undefined where it is too long, comes too slowly, or is no JSON. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  if (Number(request.headers['content-length'] ?? 0) > SIGN_IN_BYTES) return undefined;
  const tooSlow = setTimeout(() => request.destroy(), SIGN_IN_MS);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += chunk.length;
      if (size > SIGN_IN_BYTES) return undefined;
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  } finally {
    clearTimeout(tooSlow);
  }
}

function reply(response: ServerResponse, status: number, error: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ error }));
}
