import type { IncomingMessage } from 'node:http';
import type { Database } from '@evenkeel/db';
import type { Ingest, Log } from '@evenkeel/ingest';
import type { EventPort, Principal } from '@evenkeel/protocol';
import type { Server } from 'socket.io';
import { IngestNamespace } from './ingest-namespace.ts';
import { Live } from './live.ts';

interface GatewayOptions {
  /** A socket.io server with `maxHttpBufferSize` of MAX_FRAME_BYTES; its owner closes it. */
  io: Server;
  db: Database;
  log: Log;
  /** Where emitters' messages go. */
  ingest: Ingest;
  /** What viewers are sent comes from here. */
  events: EventPort;
  /** Who opens a `/live` connection; null where that request may not watch. */
  viewerOf: (request: IncomingMessage) => Principal | null;
}

/** The socket.io side of the server: `/ingest` for emitters, `/live` for viewers. */
export class Gateway {
  readonly #live: Live;

  constructor({ io, db, log, ingest, events, viewerOf }: GatewayOptions) {
    io.use((_socket, next) => next(new Error('connect to the namespace /ingest or /live')));
    new IngestNamespace({ namespace: io.of('/ingest'), ingest, log });
    this.#live = new Live({ namespace: io.of('/live'), db, log, events, viewerOf });
  }

  /** Resolves when nothing more is sent to viewers. The socket.io server must be closed before. */
  async close(): Promise<void> {
    await this.#live.close();
  }
}
