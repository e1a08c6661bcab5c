import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import { type Database, openDatabase } from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import { type HealthReport, Ingest, LocalEventPort } from '@evenkeel/ingest';
import { startOf } from '@evenkeel/ingest/testing';
import { type Ack, ANONYMOUS, MAX_FRAME_BYTES, PROTOCOL_VERSION } from '@evenkeel/protocol';
import { Server } from 'socket.io';
import { io as connect, type Socket } from 'socket.io-client';
import { Gateway } from './gateway.ts';

export { BEGAN, startOf, stepsFrom } from '@evenkeel/ingest/testing';

type Given = Parameters<Ingest['command']>[1];

/** A gateway on a free port over a new embedded database, and clients of it; all disposed together. */
export interface TestGateway extends AsyncDisposable {
  url: string;
  db: Database;
  gateway: {
    /** Gives a command as a person who has not said who it is. */
    command(given: Given): ReturnType<Ingest['command']>;
    live(): HealthReport;
    ready(): Promise<HealthReport>;
    /** Resolves when keys that were created or revoked hold for open connections. */
    keysChanged(): Promise<void>;
    /** Resolves when what has come in is stored and judged. */
    settled(): Promise<void>;
  };
  /** What has been read of all connections, in bytes. */
  bytesRead(): number;
  /** Closes every connection, as a network does. */
  breakConnections(): void;
  /** What the gateway reported as an error. */
  errors: string[];
  /** A client of a namespace; connects by itself. */
  client(namespace: '/ingest' | '/live' | '/', auth?: Record<string, unknown>): Socket;
  /** Disconnects an emitter; resolves once the gateway has noticed. */
  disconnect(emitter: Socket): Promise<void>;
  /** An emitter that is connected and has started a run. */
  emitter(run?: string): Promise<{ run: string; socket: Socket }>;
}

export const HANDSHAKE = { protocol: PROTOCOL_VERSION, client: 'test' };

/** What answers requests of HTTP beside the gateway, such as the API of a client that asks for more than sockets. */
type Answering = (parts: { db: Database; ingest: Ingest; events: LocalEventPort }) => RequestListener;

export async function startTestGateway({
  now = () => new Date(),
  target,
  answering = () => (_, response) => response.end(),
}: {
  now?: () => Date;
  target?: Parameters<typeof openDatabase>[0];
  answering?: Answering;
} = {}): Promise<TestGateway> {
  const db = await (target ? openDatabase(target) : openTestDatabase());
  const errors: string[] = [];
  const http = createServer();
  const connections: NetSocket[] = [];
  http.on('connection', (connection) => connections.push(connection));
  const io = new Server(http, { maxHttpBufferSize: MAX_FRAME_BYTES, transports: ['websocket'] });
  const log = (level: string, message: string, error?: unknown) => {
    if (level === 'error') errors.push(`${message}: ${error}`);
  };
  const events = new LocalEventPort(log);
  const ingest = new Ingest({ db, now, log, events });
  http.on('request', answering({ db, ingest, events }));
  const gateway = new Gateway({ io, db, log, ingest, events, viewerOf: () => ANONYMOUS });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const sockets: Socket[] = [];
  const client = (namespace: string, auth: Record<string, unknown> = HANDSHAKE) => {
    const socket = connect(url + namespace, { transports: ['websocket'], forceNew: true, auth });
    sockets.push(socket);
    return socket;
  };
  return {
    url,
    db,
    gateway: {
      command: (given) => ingest.command(ANONYMOUS, given),
      live: () => ingest.live(),
      ready: () => ingest.ready(),
      keysChanged: () => {
        events.publish({ kind: 'keys changed' });
        return ingest.settled();
      },
      settled: () => ingest.settled(),
    },
    bytesRead: () => connections.reduce((sum, { bytesRead }) => sum + bytesRead, 0),
    breakConnections: () => {
      for (const name of ['/ingest', '/live']) for (const socket of io.of(name).sockets.values()) socket.conn.close();
    },
    errors,
    client,
    disconnect: async (emitter) => {
      const theirs = io.of('/ingest').sockets.get(emitter.id ?? '');
      if (!theirs) throw new Error('this emitter is not connected');
      const gone = once(theirs, 'disconnect');
      emitter.disconnect();
      await gone;
    },
    emitter: async (run = randomUUID()) => {
      const socket = client('/ingest');
      await connected(socket);
      await send(socket, 'run:start', startOf(run));
      return { run, socket };
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.disconnect();
      await io.close();
      await gateway.close();
      await ingest.close();
      await db.close();
    },
  };
}

/** Resolves when connected; rejects with the server's refusal. */
export function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
}

export function send(socket: Socket, event: string, payload: unknown): Promise<Ack> {
  return socket.timeout(60_000).emitWithAck(event, payload);
}
