import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Database } from '@evenkeel/db';
import { MlflowDoor } from '@evenkeel/door-mlflow';
import { Ingest, LocalEventPort } from '@evenkeel/ingest';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';

/** The access token of viewers. */
export const TOKEN = 'correct-horse-battery';

/** A server with the door alone, mounted as in the dashboard, that can be closed and started again. */
export class DoorServer implements AsyncDisposable {
  readonly port: number;
  readonly #db: Database;
  /** What went wrong. */
  readonly errors: unknown[] = [];
  /** Whether viewers need the access token. */
  isOpen = true;
  #close: (() => Promise<void>) | null = null;

  constructor(db: Database, port: number) {
    this.#db = db;
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/mlflow`;
  }

  async start(): Promise<void> {
    const now = () => new Date();
    const log = (level: string, ...rest: unknown[]) => void (level === 'error' && this.errors.push(rest));
    const ingest = new Ingest({ db: this.#db, now, log, events: new LocalEventPort(log) });
    const readers = { isOpen: this.isOpen, isToken: (secret: string) => secret === TOKEN, countWrong: () => true };
    const door = new MlflowDoor({ ingest, db: this.#db, now, log, readers });
    const app = new Hono().route('/mlflow', door.app);
    const http = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
    await once(http.listen(this.port, '127.0.0.1'), 'listening');
    this.#close = () => closeAll(http, door, ingest);
  }

  /** As a server does that is asked to end. */
  async stop(): Promise<void> {
    await this.#close?.();
    this.#close = null;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

async function closeAll(http: Server, door: MlflowDoor, ingest: Ingest): Promise<void> {
  const closed = once(http, 'close');
  http.close();
  http.closeAllConnections();
  await closed;
  door.close();
  await ingest.close();
}
