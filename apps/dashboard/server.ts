import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { type ApiContext, createCaller } from '@evenkeel/api';
import { anyApiKey, type Database, openDatabase } from '@evenkeel/db';
import { Gateway, type Log } from '@evenkeel/gateway';
import { MAX_FRAME_BYTES, parse, RefusedError } from '@evenkeel/protocol';
import next from 'next';
import { Server } from 'socket.io';
import manifest from './package.json' with { type: 'json' };
import { Door, isLoopback } from './server/door.ts';
import { httpListener } from './server/http.ts';
import { Sessions } from './server/session.ts';
import { type ServerSettings, serverSettings } from './server/settings.ts';

export type { ServerSettings };

export interface RunningServer extends AsyncDisposable {
  /** Where it listens, such as `http://127.0.0.1:4870`. */
  url: string;
  database: Database['kind'];
  /** Finishes what is in flight and lets go of the database. */
  close(): Promise<void>;
}

/**
 * Starts Evenkeel: pages, tRPC and the gateway on one port, over one database.
 * @throws RefusedError naming the setting that is wrong or missing.
 */
export async function startServer(input: ServerSettings, log: Log): Promise<RunningServer> {
  const settings = parse(serverSettings, input);
  const { host, port, dataDir, databaseUrl } = settings;
  const db = await openDatabase(databaseUrl === null ? { dataDir } : { url: databaseUrl });
  try {
    if (!isLoopback(host) && !(await anyApiKey(db))) throw noKeyYet();
    return await listen(settings, db, log);
  } catch (error) {
    await db.close();
    throw error;
  }
}

async function listen(
  { host, port, accessToken, allowedHosts }: ReturnType<typeof serverSettings.parse>,
  db: Database,
  log: Log,
): Promise<RunningServer> {
  const now = () => new Date();
  const door = new Door([host, ...allowedHosts]);
  const sessions = new Sessions(accessToken, now);
  const io = new Server({
    maxHttpBufferSize: MAX_FRAME_BYTES,
    transports: ['websocket'],
    serveClient: false,
    allowRequest: (request, allow) => allow(null, door.problem(request) === null),
  });
  const gateway = new Gateway({ io, db, now, log, mayWatch: (request) => sessions.mayView(request) });
  const api: ApiContext = {
    db,
    now,
    stopRun: (run, reason) => gateway.stopRun(run, reason),
    alertChanged: (alert) => gateway.alertChanged(alert),
    keysChanged: () => gateway.keysChanged(),
  };
  // Next.js bundles the pages apart from this file: what both need is handed over through the global object.
  Object.assign(globalThis, { [Symbol.for('evenkeel.caller')]: createCaller(api) });
  const pages = next({ dev: false, dir: dashboardFolder() });
  await pages.prepare();
  const health = async () => ({ status: 'ok' as const, version: manifest.version, database: db.kind });
  const http = createServer(httpListener({ door, sessions, api, log, health, pages: pages.getRequestHandler() }));
  io.attach(http);
  await new Promise<void>((resolve, reject) => http.once('error', reject).listen(port, host, resolve));
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${(http.address() as AddressInfo).port}`;
  db.announce(url);
  const close = async () => {
    await io.close(); // closes the HTTP server too
    http.closeAllConnections();
    await gateway.close();
    await pages.close();
    await db.close();
  };
  return { url, database: db.kind, close, [Symbol.asyncDispose]: close };
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
