import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  answerRoute,
  describeHttpApi,
  HTTP_API_PATH,
  HTTP_ROUTES,
  type HttpAnswer,
  type HttpRoute,
} from '@evenkeel/api';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, type Handler, Hono } from 'hono';
import { Admission, RETRY_AFTER_SECONDS, type Refusal, STREAM_LIMITS, STREAM_TIMEOUTS } from './admission.ts';
import type { RouteOptions } from './routes.ts';

interface Env {
  Bindings: HttpBindings;
}

const DESCRIPTION_PATH = `${HTTP_API_PATH}/openapi.json`;

/**
 * The HTTP reading API: every path below {@link HTTP_API_PATH}. Answers of JSON count towards the limits of pages and
 * tRPC; those that stream have their own.
 */
export function httpApi(options: RouteOptions, admission: Admission): Hono<Env> {
  const streams = new Admission(STREAM_LIMITS, STREAM_TIMEOUTS);
  const description = describeHttpApi(options.health.version);
  const routes = new Hono<Env>();
  routes.use(`${HTTP_API_PATH}/*`, async (context, next) => {
    context.header('Cache-Control', 'no-store');
    if (context.req.method === 'GET') return next();
    return context.json({ error: 'This API only reads: use GET.' }, 405, { Allow: 'GET' });
  });
  routes.get(DESCRIPTION_PATH, (context) => context.json(description));
  for (const route of HTTP_ROUTES) {
    const path = HTTP_API_PATH + route.path.replaceAll(/\{(\w+)\}/g, ':$1');
    routes.get(path, routeHandler(route, options, 'open' in route ? streams : admission));
  }
  routes.all(`${HTTP_API_PATH}/*`, (context) =>
    context.json({ error: `There is no such route: ${DESCRIPTION_PATH} describes those that there are.` }, 404),
  );
  return routes;
}

function routeHandler(route: HttpRoute, { api, sessions }: RouteOptions, admission: Admission): Handler<Env> {
  return async (context) => {
    const { incoming, outgoing } = context.env;
    const principal = sessions.viewerOf(incoming);
    if (!principal) throw new Error('a request without a session reached the HTTP API');
    const refusal = await admission.enter(sessions.viewer(incoming), outgoing);
    if (refusal) return refuse(context, refusal);
    const { db, now } = api(principal);
    const { searchParams } = new URL(context.req.url);
    const answer = await answerRoute(
      route,
      { db: db.readers, now },
      { path: context.req.param(), search: searchParams },
    );
    if ('json' in answer)
      return context.body(answer.json, answer.status, { 'Content-Type': 'application/json; charset=utf-8' });
    await admission.keepUntil(outgoing, sendStream(answer, outgoing));
    return RESPONSE_ALREADY_SENT;
  };
}

function refuse(context: Context<Env>, { status, error }: Refusal): Response {
  return context.json({ error }, status, { 'Retry-After': String(RETRY_AFTER_SECONDS) });
}

/** Reads as fast as the client does; an answer that fails midway is cut off, so that no client takes it for whole. */
async function sendStream(
  { type, filename, pieces }: Extract<HttpAnswer, { pieces: unknown }>,
  response: ServerResponse,
): Promise<void> {
  response.writeHead(200, {
    'Content-Type': type,
    'Cache-Control': 'no-store',
    ...(filename === null ? {} : { 'Content-Disposition': attachment(filename) }),
  });
  await pipeline(Readable.from(pieces), response).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error; // its client went
  });
}

/** A browser saves the answer under this name (RFC 6266): in UTF-8, and in ASCII for what cannot read that. */
function attachment(filename: string): string {
  const plain = filename.replaceAll(/[^\w.-]+/g, '_');
  const encoded = encodeURIComponent(filename).replaceAll(/['()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
