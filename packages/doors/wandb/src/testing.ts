import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Database } from '@evenkeel/db';
import { Ingest, LocalEventPort, type Readers } from '@evenkeel/ingest';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { WandbDoor } from './wandb-door.ts';

/** A server of this door alone. */
export interface TestDoor extends AsyncDisposable {
  /** As `WANDB_BASE_URL`. */
  url: string;
  ingest: Ingest;
  events: LocalEventPort;
  /** What was logged as an error. */
  errors: string[];
}

interface TestDoorOptions {
  /** 0 for any free one. */
  port?: number;
  /** The access token of viewers; null where they need none. */
  token?: string | null;
  /** How long a question for a stop waits for a post. */
  stopWaitMs?: number | undefined;
}

/** Wrong secrets after which a client of a test is to wait. */
export const MAX_WRONG = 3;

/** Serves the door over a database, which stays open when the door closes. */
export async function serveDoor(
  db: Database,
  { port = 0, token = null, stopWaitMs }: TestDoorOptions = {},
): Promise<TestDoor> {
  const errors: string[] = [];
  const log = (level: string, message: string, error?: unknown) =>
    void (level === 'error' && errors.push(`${message}: ${error}`));
  const now = () => new Date();
  const events = new LocalEventPort(log);
  const ingest = new Ingest({ db, now, log, events });
  let wrong = 0;
  const readers: Readers = {
    isOpen: token === null,
    isToken: (secret) => secret === token,
    countWrong: () => ++wrong <= MAX_WRONG,
  };
  const door = new WandbDoor({ ingest, db, now, log, readers, stopWaitMs });
  const routes = new Hono().route('/wandb', door.app);
  const http = createServer(getRequestListener(routes.fetch, { overrideGlobalObjects: false }));
  await once(http.listen(port, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/wandb`,
    ingest,
    events,
    errors,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      http.close();
      door.close();
      await ingest.close();
    },
  };
}
