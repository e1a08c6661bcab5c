import {
  acknowledgeCommand,
  anyApiKey,
  authenticateApiKey,
  type CommandRow,
  type Database,
  findCommand,
  finishRun,
  listApiKeys,
  pendingCommands,
  type StoredSteps,
  settleCommand,
  startRun,
  type TakenBatch,
} from '@evenkeel/db';
import {
  type Accepted,
  type Ack,
  ack,
  type Command,
  checkProtocolVersion,
  command,
  commandDone,
  decodeSteps,
  ingestHandshake,
  parse,
  RefusedError,
  type RunStart,
  runFinish,
  runStart,
  storableReason,
} from '@evenkeel/protocol';
import type { Namespace, Socket } from 'socket.io';
import type { Intake } from './intake.ts';
import type { Log } from './log.ts';
import { readSteps } from './read-steps.ts';

/** What an emitter's answer to a command may take; after that the command goes out again with its next start. */
const ANSWER_TIMEOUT = 60_000;
/** Runs that one connection may have started and not finished. */
const RUNS_PER_CONNECTION = 1_000;

export interface IngestOptions {
  namespace: Namespace;
  db: Database;
  now: () => Date;
  log: Log;
  intake: Intake;
  /** Resolves once the batch is durable, with what was left out of it, or with why it was refused. */
  store: (batch: TakenBatch) => Promise<StoredSteps>;
  /** The emitter of this run has sent something, which may yet be refused. */
  onContact: (run: string) => void;
  onRunStarted: (run: string) => void;
  onRunFinished: (run: string) => void;
  /** A command of this run was acknowledged, carried out or refused. */
  onCommandChanged: (run: string) => void;
  /** The emitter of these runs has gone, for now or for good. */
  onDisconnect: (runs: string[]) => void;
}

/** What the server knows of one connected emitter. */
interface Emitter {
  /** The API key it came with. */
  keyId: string | null;
  /** The runs it has started on this connection; steps wait for the start to be stored. */
  runs: Map<string, Promise<unknown>>;
}

type Handler = (emitter: Emitter, socket: Socket, payload: unknown) => Promise<Accepted>;

const ACCEPTED: Accepted = { ok: true };

/** The `/ingest` namespace: every message is parsed, stored, and only then acknowledged. */
export class Ingest {
  readonly #options: IngestOptions;
  readonly #emitters = new Map<string, Emitter>();
  readonly #answering = new Set<Promise<void>>();
  readonly #handlers = new Map<string, Handler>([
    ['run:start', (emitter, socket, payload) => this.#start(emitter, socket, payload)],
    ['steps', (emitter, socket, payload) => this.#takeSteps(emitter, socket, payload)],
    ['run:finish', (emitter, socket, payload) => this.#finish(emitter, socket, payload)],
    ['command:done', (_emitter, socket, payload) => this.#commandDone(socket, payload)],
  ]);

  constructor(options: IngestOptions) {
    this.#options = options;
    options.namespace.use((socket, next) =>
      this.#admit(socket).then(
        () => next(),
        (error) => next(this.#handshakeError(error)),
      ),
    );
    options.namespace.on('connection', (socket) => this.#welcome(socket));
  }

  /** Ids of the runs whose emitter is connected to this server. */
  connectedRuns(): string[] {
    return [...this.#emitters.values()].flatMap(({ runs }) => [...runs.keys()]);
  }

  /**
   * Sends a command down the connections of its attempt. Resolves once its emitter has answered and that is noted;
   * never where none does: the command then goes out again when the attempt comes back.
   */
  deliver(row: CommandRow): Promise<void> {
    const sockets = this.#options.namespace.adapter.rooms.get(roomOf(row)) ?? [];
    return new Promise((answered) => {
      for (const id of sockets) this.#sendCommand(id, row, answered);
    });
  }

  /** Resolves when every message that has come in is answered. */
  async idle(): Promise<void> {
    await Promise.all(this.#answering);
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
    const { key, client } = parse(ingestHandshake, auth);
    const { db, now, log } = this.#options;
    const known = key === undefined ? null : await authenticateApiKey(db, key, now());
    if (!known && (await anyApiKey(db))) throw new RefusedError('key', keyProblem(key));
    socket.data.keyId = known?.id ?? null;
    log('info', `an emitter connects: ${JSON.stringify(client)}`);
  }

  #sendCommand(socketId: string, row: CommandRow, answered: () => void): void {
    const socket = this.#options.namespace.sockets.get(socketId)?.timeout(ANSWER_TIMEOUT);
    socket?.emit('command', toCommand(row), (late: unknown, answer: unknown) => {
      if (!late) this.#track(this.#noteAnswer(row, answer).then(answered));
    });
  }

  async #noteAnswer(row: CommandRow, answer: unknown): Promise<void> {
    const { db, now, log, onCommandChanged } = this.#options;
    const { data } = ack.safeParse(answer);
    try {
      if (!data || ('error' in data && data.retry)) return; // it goes out again with the attempt's next start
      if ('ok' in data) await acknowledgeCommand(db, row, now());
      else await settleCommand(db, { ...row, result: null, error: storableReason(data.error) }, now());
      onCommandChanged(row.run);
    } catch (error) {
      log('error', `noting the answer to a command of run ${row.run} failed`, error);
    }
  }

  /** What was given while the attempt was away, or was not answered. */
  async #deliverPending({ run, attempt }: RunStart, socketId: string): Promise<void> {
    try {
      const rows = await pendingCommands(this.#options.db, run, attempt);
      for (const row of rows) this.#sendCommand(socketId, row, () => {});
    } catch (error) {
      this.#options.log('error', `reading the commands of run ${run} failed`, error);
    }
  }

  #track(work: Promise<void>): void {
    this.#answering.add(work);
    void work.finally(() => this.#answering.delete(work));
  }

  /** socket.io passes `data` of a middleware's error on to the client. */
  #handshakeError(error: unknown): Error {
    if (!(error instanceof RefusedError)) this.#options.log('error', 'a handshake failed', error);
    const refused = error instanceof RefusedError ? error : new RefusedError('', 'the server failed: try again', true);
    return Object.assign(new Error(refused.message), { data: refused.toRefusal() });
  }

  #welcome(socket: Socket): void {
    const emitter: Emitter = { keyId: socket.data.keyId, runs: new Map() };
    this.#emitters.set(socket.id, emitter);
    socket.on('disconnect', () => {
      this.#emitters.delete(socket.id);
      this.#options.onDisconnect([...emitter.runs.keys()]);
    });
    socket.onAny((event: unknown, ...args: unknown[]) => {
      const last = args.at(-1);
      const reply = typeof last === 'function' ? (ack: Ack) => last(ack) : () => {};
      this.#track(this.#answer(emitter, socket, String(event), args[0]).then(reply));
    });
  }

  async #answer(emitter: Emitter, socket: Socket, event: string, payload: unknown): Promise<Ack> {
    try {
      const handler = this.#handlers.get(event);
      if (!handler) throw new RefusedError('event', `there is no event "${event.slice(0, 50)}"`);
      return await handler(emitter, socket, payload);
    } catch (error) {
      if (error instanceof RefusedError) return error.toRefusal();
      this.#options.log('error', `${event} failed`, error);
      return { error: 'the server failed: try again', field: '', retry: true };
    }
  }

  async #start(emitter: Emitter, socket: Socket, payload: unknown): Promise<Accepted> {
    const start = parse(runStart, payload);
    const { runs } = emitter;
    const former = runs.get(start.run);
    if (!former && runs.size >= RUNS_PER_CONNECTION) {
      throw new RefusedError('run', `more than ${RUNS_PER_CONNECTION} runs on one connection: finish some first`);
    }
    this.#options.onContact(start.run);
    const stored = startRun(this.#options.db, start, this.#options.now(), emitter.keyId);
    runs.set(start.run, stored);
    try {
      await stored;
    } catch (error) {
      // A refused repetition does not undo the start before it.
      const isNewest = runs.get(start.run) === stored;
      if (isNewest && former) runs.set(start.run, former);
      else if (isNewest) runs.delete(start.run);
      throw error;
    }
    // Whoever had the run before has no valid key any more, but may still be connected.
    if ((await stored).changedHands) await this.checkKeys();
    await socket.join(roomOf(start));
    this.#options.onRunStarted(start.run);
    this.#track(this.#deliverPending(start, socket.id));
    return ACCEPTED;
  }

  async #takeSteps(emitter: Emitter, socket: Socket, payload: unknown): Promise<Accepted> {
    const { intake, onContact } = this.#options;
    try {
      return await intake.add(socket.id, payload, () => this.#steps(emitter, payload));
    } catch (error) {
      // It may have been refused unread: then it can be of any of these.
      if (error instanceof RefusedError && error.retry) for (const run of emitter.runs.keys()) onContact(run);
      throw error;
    }
  }

  async #steps(emitter: Emitter, payload: unknown): Promise<Accepted> {
    const { onContact, store, now } = this.#options;
    const batch = payload instanceof Uint8Array ? decodeSteps(payload) : readSteps(payload, now().getTime());
    const started = startedHere(emitter, batch.run);
    onContact(batch.run);
    await started;
    const result = await store(batch);
    if (result instanceof RefusedError) throw result;
    return result.length > 0 ? { ok: true, dropped: result } : ACCEPTED;
  }

  async #finish(emitter: Emitter, socket: Socket, payload: unknown): Promise<Accepted> {
    const finish = parse(runFinish, payload);
    await startedHere(emitter, finish.run);
    await this.#options.intake.settled(socket.id); // steps that came before it are taken before it
    await finishRun(this.#options.db, finish, this.#options.now());
    emitter.runs.delete(finish.run);
    await socket.leave(roomOf(finish));
    this.#options.onRunFinished(finish.run);
    return ACCEPTED;
  }

  async #commandDone(socket: Socket, payload: unknown): Promise<Accepted> {
    const done = parse(commandDone, payload);
    const given = await findCommand(this.#options.db, done);
    if (!socket.rooms.has(roomOf(given)))
      throw new RefusedError('run', 'its attempt was not started on this connection');
    await settleCommand(this.#options.db, done, this.#options.now());
    this.#options.onCommandChanged(done.run);
    return ACCEPTED;
  }
}

/** Whoever emits for an attempt; an older one of the same run is no party to its commands. */
function roomOf({ run, attempt }: Pick<RunStart, 'run' | 'attempt'>): string {
  return `${run} ${attempt}`;
}

function toCommand({ factor, ...row }: CommandRow): Command {
  return parse(command, factor === null ? row : { ...row, factor });
}

/** Resolves once the connection's start of the run is stored. */
function startedHere({ runs }: Emitter, run: string): Promise<unknown> {
  const started = runs.get(run);
  if (!started) throw new RefusedError('run', `run ${run} was not started on this connection`);
  return started;
}

function keyProblem(key: string | undefined): string {
  if (key === undefined)
    return 'this server takes steps only with an ingest key: create one with "evenkeel key create"';
  return 'this ingest key is unknown or revoked';
}
