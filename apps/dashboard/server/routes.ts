import type { ApiContext } from '@evenkeel/api';
import type { Log } from '@evenkeel/ingest';
import type { Principal } from '@evenkeel/protocol';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, type Handler, Hono } from 'hono';
import { Admission, RETRY_AFTER_SECONDS } from './admission.ts';
import { ASSETS_PATH, type Assets } from './assets.ts';
import { type HealthChecks, liveness, readiness } from './health.ts';
import { httpApi } from './http-api.ts';
import type { OriginGuard } from './origin-guard.ts';
import { type Pages, servePage } from './pages.ts';
import type { Sessions } from './session.ts';
import { signIn } from './sign-in.ts';
import { refuseCalls, TRPC_PATH, trpcListener } from './trpc.ts';

/** The pages that need no session, exactly; like the assets and what is answered before them. All else needs one. */
const OPEN_PAGES = ['/signin', '/icon.svg'];

export interface RouteOptions {
  originGuard: OriginGuard;
  sessions: Sessions;
  /** The context of one request. */
  api: (principal: Principal) => ApiContext;
  log: Log;
  health: HealthChecks;
  pages: Pages;
  assets: Assets;
  doors: readonly Door[];
}

/** Where clients of another tracker are answered, whose keys it checks by itself. */
interface Door {
  app: Hono;
  /** Such as `/mlflow`. */
  prefix: string;
  /** Folders that it also answers without the prefix, each with a slash at its end. */
  atRoot: readonly string[];
}

interface Env {
  Bindings: HttpBindings;
}

/**
 * Every route, in the order in which they are tried. What is open to everybody stands before the session is required;
 * whatever is added after that needs one.
 */
export function routesOf(options: RouteOptions): Hono<Env> {
  const { originGuard, sessions, health, assets, doors } = options;
  const admission = new Admission();
  const page = pageHandler(options, admission);
  // The path as it was judged; Hono's own getPath decodes it.
  const routes = new Hono<Env>({ getPath: ({ url }) => new URL(url).pathname });
  routes.onError((error) => {
    throw error; // the listener logs it
  });

  routes.use((context, next) => {
    const problem = originGuard.problem(context.env.incoming);
    return problem === null ? next() : Promise.resolve(context.json({ error: problem }, 403));
  });
  routes.all('/healthz', async (context) => healthReply(context, await liveness(health)));
  routes.all('/readyz', async (context) => healthReply(context, await readiness(health)));
  // Browsers request it by themselves, before they have read which icon a page names.
  routes.all('/favicon.ico', (context) => context.redirect('/icon.svg', 308));
  routes.all('/api/session', (context) => signIn(context, sessions));
  below(routes, ASSETS_PATH, ({ req, env }) => {
    assets.answer(req.path, env.incoming, env.outgoing);
    return RESPONSE_ALREADY_SENT;
  });
  for (const path of OPEN_PAGES) routes.all(path, page);
  for (const { app, prefix, atRoot } of doors) {
    routes.route(prefix, app);
    for (const folder of atRoot) below(routes, folder, ({ req, env }) => app.fetch(req.raw, env));
  }

  routes.use((context, next) =>
    sessions.isAuthorized(context.env.incoming) ? next() : Promise.resolve(askToSignIn(context)),
  );
  below(routes, TRPC_PATH, trpcHandler(options, admission));
  routes.route('/', httpApi(options, admission));
  routes.all('*', page);
  return routes;
}

/** Hono's `/folder/*` is also `/folder`, which may be open or closed by itself. */
function below(routes: Hono<Env>, folder: string, handle: Handler<Env>): void {
  routes.all(`${folder}*`, (context, next) => (context.req.path.startsWith(folder) ? handle(context, next) : next()));
}

function healthReply(context: Context<Env>, { isOk, report }: Awaited<ReturnType<typeof readiness>>): Response {
  return context.json(report, isOk ? 200 : 503, { 'Cache-Control': 'no-store' });
}

function askToSignIn(context: Context<Env>): Response {
  const { method, path } = context.req;
  if (method !== 'GET' || path.startsWith('/api/'))
    return context.json({ error: 'Sign in first, or send the access token as "Authorization: Bearer …".' }, 401);
  const { url = '/' } = context.env.incoming;
  return context.redirect(url === '/' ? '/signin' : `/signin?next=${encodeURIComponent(url)}`, 303);
}

function pageHandler({ sessions, pages }: RouteOptions, admission: Admission): Handler<Env> {
  return async (context) => {
    const { incoming, outgoing } = context.env;
    if (incoming.method !== 'GET' && incoming.method !== 'HEAD')
      return context.json({ error: 'A page can only be read.' }, 405);
    const refusal = await admission.enter(sessions.viewer(incoming), outgoing);
    if (refusal) {
      context.header('Retry-After', String(RETRY_AFTER_SECONDS));
      return context.json({ error: refusal.error }, refusal.status);
    }
    await admission.keepUntil(outgoing, servePage(pages, incoming, outgoing));
    return RESPONSE_ALREADY_SENT;
  };
}

function trpcHandler(options: RouteOptions, admission: Admission): Handler<Env> {
  const trpc = trpcListener(options);
  return async ({ env: { incoming, outgoing } }) => {
    const refusal = await admission.enter(options.sessions.viewer(incoming), outgoing);
    if (refusal) {
      outgoing.setHeader('Retry-After', RETRY_AFTER_SECONDS);
      refuseCalls(outgoing, refusal.status, refusal.error);
    } else trpc(incoming, outgoing);
    return RESPONSE_ALREADY_SENT;
  };
}
