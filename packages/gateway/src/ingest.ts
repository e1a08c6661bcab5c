import { anyApiKey, authenticateApiKey, type Database, finishRun, listApiKeys, startRun } from '@evenkeel/db';
import {
  type Ack,
  type Command,
  checkProtocolVersion,
  decodeSteps,
  ingestHandshake,
  parse,
  RefusedError,
  runFinish,
  runStart,
  type StepBatch,
  stepBatch,
} from '@evenkeel/protocol';
import type { Namespace, Socket } from 'socket.io';
import type { Log } from './log.ts';

const COMMAND_TIMEOUT = 5_000;

export interface IngestOptions {
  namespace: Namespace;
  db: Database;
  now: () => Date;
  log: Log;
  /** Resolves once the batch is durable, or with why it was refused. */
  store: (batch: StepBatch) => Promise<RefusedError | null>;
  onRunStarted: (run: string) => void;
  onRunFinished: (run: string) => void;
}

/** What the server knows of one connected emitter. */
interface Emitter {
  /** The API key it came with. */
  keyId: string | null;
  /** The runs it has started on this connection; steps wait for the start to be stored. */
  runs: Map<string, Promise<void>>;
}

type Handler = (emitter: Emitter, socket: Socket, payload: unknown) => Promise<void>;

/** The `/ingest` namespace: every message is parsed, stored, and only then acknowledged. */
export class Ingest {
  readonly #options: IngestOptions;
  readonly #emitters = new Map<string, Emitter>();
  readonly #handlers = new Map<string, Handler>([
    ['run:start', (emitter, socket, payload) => this.#start(emitter, socket, payload)],
    ['steps', (emitter, _socket, payload) => this.#steps(emitter, payload)],
    ['run:finish', (emitter, _socket, payload) => this.#finish(emitter, payload)],
  ]);

  constructor(options: IngestOptions) {
    this.#options = options;
    options.namespace.use((socket, next) =>
      this.#admit(socket).then(
        () => next(),
        (error) => next(handshakeError(error)),
      ),
    );
    options.namespace.on('connection', (socket) => this.#welcome(socket));
  }

  /** Ids of the runs whose emitter is connected to this server. */
  connectedRuns(): string[] {
    return [...this.#emitters.values()].flatMap(({ runs }) => [...runs.keys()]);
  }

  /** Sends a command down the run's own connection; false where no emitter acknowledged it. */
  async sendCommand(command: Command): Promise<boolean> {
    const sockets = await this.#options.namespace.in(command.run).fetchSockets();
    const answers = await Promise.all(
      sockets.map((socket) =>
        socket
          .timeout(COMMAND_TIMEOUT)
          .emitWithAck('command', command)
          .catch(() => null),
      ),
    );
    return answers.some((answer) => answer?.ok === true);
  }

  /** Closes connections whose key has been revoked, or that have none although one is needed by now. */
  async checkKeys(): Promise<void> {
    const keys = await listApiKeys(this.#options.db);
    if (keys.length === 0) return;
    const valid = new Set(keys.filter((key) => key.revokedAt === null).map((key) => key.id));
    for (const [id, { keyId }] of this.#emitters) {
      // Closing the transport, not the namespace, lets the client reconnect and be told why it is refused.
      if (keyId === null || !valid.has(keyId)) this.#options.namespace.sockets.get(id)?.conn.close();
    }
  }

  async #admit(socket: Socket): Promise<void> {
    const { auth } = socket.handshake;
    const { protocol } = parse(ingestHandshake.pick({ protocol: true }), auth);
    checkProtocolVersion(protocol);
    const { key } = parse(ingestHandshake, auth);
    const { db, now } = this.#options;
    const known = key === undefined ? null : await authenticateApiKey(db, key, now());
    if (!known && (await anyApiKey(db))) throw new RefusedError('key', keyProblem(key));
    this.#emitters.set(socket.id, { keyId: known?.id ?? null, runs: new Map() });
  }

  #welcome(socket: Socket): void {
    const emitter = this.#emitters.get(socket.id);
    if (!emitter) return;
    socket.on('disconnect', () => this.#emitters.delete(socket.id));
    socket.onAny((event: string, ...args: unknown[]) => {
      const last = args.at(-1);
      const reply = typeof last === 'function' ? (ack: Ack) => last(ack) : () => {};
      void this.#answer(emitter, socket, event, args[0]).then(reply);
    });
  }

  async #answer(emitter: Emitter, socket: Socket, event: string, payload: unknown): Promise<Ack> {
    try {
      const handler = this.#handlers.get(event);
      if (!handler) throw new RefusedError('event', `there is no event "${event.slice(0, 50)}"`);
      await handler(emitter, socket, payload);
      return { ok: true };
    } catch (error) {
      if (error instanceof RefusedError) return error.toRefusal();
      this.#options.log('error', `${event} failed`, error);
      return { error: 'the server failed: try again', field: '', retry: true };
    }
  }

  async #start(emitter: Emitter, socket: Socket, payload: unknown): Promise<void> {
    const start = parse(runStart, payload);
    const stored = startRun(this.#options.db, start, this.#options.now());
    emitter.runs.set(start.run, stored);
    try {
      await stored;
    } catch (error) {
      emitter.runs.delete(start.run);
      throw error;
    }
    await socket.join(start.run);
    this.#options.onRunStarted(start.run);
  }

  async #steps(emitter: Emitter, payload: unknown): Promise<void> {
    const batch = payload instanceof Uint8Array ? decodeSteps(payload) : parse(stepBatch, payload);
    const started = emitter.runs.get(batch.run);
    if (!started) throw new RefusedError('run', `run ${batch.run} was not started on this connection`);
    await started;
    const refused = await this.#options.store(batch);
    if (refused) throw refused;
  }

  async #finish(emitter: Emitter, payload: unknown): Promise<void> {
    const finish = parse(runFinish, payload);
    const started = emitter.runs.get(finish.run);
    if (!started) throw new RefusedError('run', `run ${finish.run} was not started on this connection`);
    await started;
    await finishRun(this.#options.db, finish, this.#options.now());
    emitter.runs.delete(finish.run);
    this.#options.onRunFinished(finish.run);
  }
}

function keyProblem(key: string | undefined): string {
  if (key === undefined)
    return 'this server takes steps only with an ingest key: create one with "evenkeel key create"';
  return 'this ingest key is unknown or revoked';
}

/** socket.io passes `data` of a middleware's error on to the client. */
function handshakeError(error: unknown): Error {
  const refused = error instanceof RefusedError ? error : new RefusedError('', 'the server failed: try again', true);
  return Object.assign(new Error(refused.message), { data: refused.toRefusal() });
}
