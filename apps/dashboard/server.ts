import { createServer, type Server as HttpServer, type IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { type ApiContext, createCaller } from '@evenkeel/api';
import { anyApiKey, type Database, openDatabase } from '@evenkeel/db';
import { MLFLOW_FOLDERS, MlflowDoor } from '@evenkeel/door-mlflow';
import { WandbDoor } from '@evenkeel/door-wandb';
import { Gateway } from '@evenkeel/gateway';
import { Ingest, LocalEventPort, type Log } from '@evenkeel/ingest';
import { ANONYMOUS, MAX_FRAME_BYTES, type Principal, parse, RefusedError } from '@evenkeel/protocol';
import next from 'next';
import { Server } from 'socket.io';
import type { z } from 'zod';
import manifest from './package.json' with { type: 'json' };
import { Assets, readAssets } from './server/assets.ts';
import { ClientAddresses } from './server/client-address.ts';
import { redirectConsole } from './server/console.ts';
import { developmentPages, forwardUpgrades, withDevelopmentFiles } from './server/development.ts';
import { httpListener } from './server/http.ts';
import { isLoopback, OriginGuard } from './server/origin-guard.ts';
import { Sessions } from './server/session.ts';
import { type ServerSettings, serverSettings } from './server/settings.ts';

export type { ServerSettings };

/** Heap growth before a garbage collection, in percent: with V8's default of four times, large answers leave 150 MB of garbage. */
const HEAP_GROWTH_PERCENT = 50;
/** Limit for closing one part of the server, in milliseconds. */
const CLOSE_MS = 8_000;

export interface RunningServer extends AsyncDisposable {
  /** Where it listens, such as `http://127.0.0.1:4870`. */
  url: string;
  database: Database['kind'];
  /** Resolves with the reason, as a sentence, when the server cannot store anything until it is restarted. */
  failed: Promise<string>;
  /** Finishes the work in flight and closes the database; after some seconds it abandons what does not end. */
  close(): Promise<void>;
}

/**
 * Starts Evenkeel: pages, tRPC and the gateway on one port, over one database.
 * @throws RefusedError naming the setting that is wrong or missing.
 */
export async function startServer(input: ServerSettings, log: Log): Promise<RunningServer> {
  const settings = parse(serverSettings, input);
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const closeOne of closers.splice(0).reverse()) {
      try {
        await withinCloseTime(closeOne());
      } catch (error) {
        log('error', 'closing a part of the server failed; the others are closed all the same', error);
      }
    }
  };
  try {
    const opened = await open(settings, log, closers);
    return { ...opened, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opens one part after another, and adds to `closers` how each is closed. */
async function open(
  {
    host,
    port,
    dataDir,
    databaseUrl,
    accessToken,
    allowedHosts,
    trustedProxies,
    mlflow,
    dev,
  }: z.output<typeof serverSettings>,
  log: Log,
  closers: (() => unknown)[],
): Promise<Pick<RunningServer, 'url' | 'database' | 'failed'>> {
  const now = () => new Date();
  await listen(createServer(), port, host).then((probe) => probe.close()); // a taken port is reported before the database is opened
  closers.push(redirectConsole(log));
  const db = await openDatabase(databaseUrl === null ? { dataDir } : { url: databaseUrl });
  closers.push(() => db.close());
  if (!isLoopback(host) && !(await anyApiKey(db))) throw noKeyYet();

  // Next.js would answer the websocket requests of the server that it serves, unchecked: it gets one without any.
  const upgrades = createServer();
  const pages = next({ dev, dir: dashboardFolder(), hostname: dev ? host : undefined, httpServer: upgrades });
  await prepare(pages, log);
  closers.push(() => pages.close());

  const originGuard = new OriginGuard([host, ...allowedHosts]);
  const sessions = new Sessions(accessToken, now, new ClientAddresses(trustedProxies));
  const io = new Server({
    maxHttpBufferSize: MAX_FRAME_BYTES,
    transports: ['websocket'],
    serveClient: false,
    connectTimeout: 10_000, // clients that have not joined a namespace by then are disconnected
    allowRequest: (request, allow) => allow(null, originGuard.problem(request) === null),
  });
  const events = new LocalEventPort(log);
  const ingest = new Ingest({ db, now, log, events });
  closers.push(() => ingest.close());
  const viewerOf = (request: IncomingMessage) => sessions.viewerOf(request);
  const gateway = new Gateway({ io, db: db.readers, log, ingest, events, viewerOf });
  closers.push(() => gateway.close());
  const wandbDoor = new WandbDoor({ ingest, db, now, log, readers: sessions });
  closers.push(() => wandbDoor.close());

  const mlflowDoor = new MlflowDoor({ ingest, db, now, log, readers: sessions });
  closers.push(() => mlflowDoor.close());

  const api = (principal: Principal): ApiContext => ({
    db,
    now,
    principal,
    events,
    command: (given) => ingest.command(principal, given),
  });
  // Next.js bundles the pages apart from this file: what both need is handed over through the global object.
  Object.assign(globalThis, { [Symbol.for('evenkeel.caller')]: createCaller(() => api(ANONYMOUS)) });
  const handler = pages.getRequestHandler();
  const listener = httpListener({
    originGuard,
    sessions,
    api,
    log,
    health: {
      version: manifest.version,
      database: db.kind,
      live: () => ingest.live(),
      ready: () => ingest.ready(),
    },
    pages: dev ? developmentPages(handler) : handler,
    assets: dev ? new Assets(new Map()) : await readAssets(join(dashboardFolder(), '.next/static')),
    doors: [
      { app: mlflowDoor.app, prefix: '/mlflow', atRoot: mlflow === 'root' ? MLFLOW_FOLDERS : [] },
      { app: wandbDoor.app, prefix: '/wandb', atRoot: [] },
    ],
  });
  const http = createServer(dev ? withDevelopmentFiles(listener, handler, originGuard) : listener);
  io.attach(http);
  const closeUpgrades = dev ? forwardUpgrades(http, upgrades, originGuard) : () => {};
  await listen(http, port, host);
  closers.push(() => {
    http.closeAllConnections();
    closeUpgrades();
    return io.close(); // and with it the HTTP server
  });

  const url = `http://${host.includes(':') ? `[${host}]` : host}:${(http.address() as AddressInfo).port}`;
  db.announce(url);
  const warm = warmUp(url, accessToken, dev ? ['/'] : WARM_PATHS);
  if (!dev) closers.push(() => warm); // building a page may take longer than closing may
  return { url, database: db.kind, failed: db.failed };
}

/** @throws Error where a part is not closed in time, as when it waits for a database that hangs. */
async function withinCloseTime(closing: unknown): Promise<void> {
  const closed = new AbortController();
  const late = delay(CLOSE_MS, 'late', { signal: closed.signal }).catch(() => null);
  try {
    const first = await Promise.race([closing, late]);
    if (first === 'late') throw new Error(`it takes longer than ${CLOSE_MS / 1_000} seconds`);
  } finally {
    closed.abort();
  }
}

/** Next.js prints on standard output as it starts, which is for the results of a command: it goes to the log. */
async function prepare(pages: ReturnType<typeof next>, log: Log): Promise<void> {
  const print = console.log;
  console.log = (...words: unknown[]) => log('info', words.join(' ').trim());
  try {
    await pages.prepare();
  } finally {
    console.log = print;
  }
}

/** An id that does not exist. */
const NO_ID = '00000000-0000-7000-8000-000000000000';
/** A page of each kind. */
const WARM_PATHS = ['/', `/runs/${NO_ID}`, '/alerts', `/alerts/${NO_ID}/${NO_ID}`, '/compare'];

/** Next.js loads the modules of a page on its first request, for about a second: do it before a viewer waits. */
async function warmUp(url: string, accessToken: string | null, paths: readonly string[]): Promise<void> {
  const headers = { authorization: `Bearer ${accessToken}` };
  for (const path of paths) {
    await fetch(url + path, { headers }).then(
      (response) => response.text(),
      () => undefined,
    );
  }
}

function listen(http: HttpServer, port: number, host: string): Promise<HttpServer> {
  return new Promise((resolve, reject) => {
    http.once('error', reject).listen(port, host, () => resolve(http));
  });
}

/** The package's own folder, from the source as from the bundle in `dist`. */
function dashboardFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('@evenkeel/dashboard/package.json'));
}

function noKeyYet(): RefusedError {
  return new RefusedError(
    'host',
    'to listen beyond this machine an ingest key must exist: create one with "evenkeel key create NAME", then start again',
  );
}
