import type { Ingest, IngestContext, Log } from '@evenkeel/ingest';
import {
  type Accepted,
  type Ack,
  ack,
  type Command,
  checkProtocolVersion,
  commandDone,
  ingestHandshake,
  type Principal,
  parse,
  RefusedError,
  runConsole,
  runDescribe,
  runDropped,
  runFinish,
  startRequest,
} from '@evenkeel/protocol';
import type { Namespace, Socket } from 'socket.io';

/** What an emitter's answer to a command may take; after that the command goes out again with its next start. */
const ANSWER_TIMEOUT = 60_000;

/** socket.io closes such a connection by itself, and nothing can be answered any more. */
const UNREADABLE =
  'a packet of an emitter could not be read, and its connection was closed: NaN and Infinity must be strings in JSON';

interface IngestNamespaceOptions {
  namespace: Namespace;
  ingest: Ingest;
  log: Log;
}

type Handler = (context: IngestContext, payload: unknown) => Promise<Accepted>;

const HANDLERS = new Map<string, Handler>([
  ['run:start', (context, payload) => context.start(parse(startRequest, payload))],
  ['run:describe', (context, payload) => context.describe(parse(runDescribe, payload))],
  ['steps', (context, payload) => context.steps(payload)],
  ['run:dropped', (context, payload) => context.dropped(parse(runDropped, payload))],
  ['run:console', (context, payload) => context.console(parse(runConsole, payload))],
  ['run:finish', (context, payload) => context.finish(parse(runFinish, payload))],
  ['command:done', (context, payload) => commandIsDone(context, payload)],
]);

/** The `/ingest` namespace: a connection is a context of the ingest service, a message one of its verbs, an ack its answer. */
export class IngestNamespace {
  readonly #options: IngestNamespaceOptions;

  constructor(options: IngestNamespaceOptions) {
    this.#options = options;
    options.namespace.use((socket, next) =>
      this.#admit(socket).then(
        () => next(),
        (error) => next(this.#handshakeError(error)),
      ),
    );
    options.namespace.on('connection', (socket) => this.#welcome(socket));
  }

  async #admit(socket: Socket): Promise<void> {
    const { auth } = socket.handshake;
    const { protocol } = parse(ingestHandshake.pick({ protocol: true }), auth);
    checkProtocolVersion(protocol);
    const { key, client } = parse(ingestHandshake, auth);
    const { ingest, log } = this.#options;
    socket.data.principal = await ingest.authenticate(key);
    log('info', `an emitter connects: ${JSON.stringify(client)}`);
  }

  /** socket.io passes `data` of a middleware's error on to the client. */
  #handshakeError(error: unknown): Error {
    const refused = this.#refusalOf(error, 'a handshake');
    return Object.assign(new Error(refused.message), { data: refused.toRefusal() });
  }

  #welcome(socket: Socket): void {
    const { ingest, log } = this.#options;
    const context = ingest.open({
      principal: socket.data.principal as Principal,
      deliver: (command) => sendCommand(socket, command),
      // A handshake would be read only after all that is on its way.
      onFlood: () => socket.request.socket.destroy(),
      // Closing the transport, not the namespace, lets the client reconnect and receive why it is refused.
      onRevoked: () => socket.conn.close(),
    });
    socket.on('error', () => log('error', UNREADABLE));
    socket.on('disconnect', () => context.close());
    socket.onAny((event: unknown, ...args: unknown[]) => {
      const last = args.at(-1);
      const reply = typeof last === 'function' ? (ack: Ack) => last(ack) : () => {};
      void this.#answer(context, String(event), args[0]).then(reply);
    });
  }

  async #answer(context: IngestContext, event: string, payload: unknown): Promise<Ack> {
    try {
      const handler = HANDLERS.get(event);
      if (!handler) throw new RefusedError('event', `there is no event "${event.slice(0, 50)}"`);
      return await handler(context, payload);
    } catch (error) {
      return this.#refusalOf(error, event).toRefusal();
    }
  }

  /** What is not the client's fault is logged, and may be tried again. */
  #refusalOf(error: unknown, what: string): RefusedError {
    if (error instanceof RefusedError) return error;
    this.#options.log('error', `${what} failed`, error);
    return new RefusedError('', 'the server failed: try again', true);
  }
}

async function commandIsDone(context: IngestContext, payload: unknown): Promise<Accepted> {
  await context.commands.settle(parse(commandDone, payload));
  return { ok: true };
}

/** Resolves with null where no answer comes in time, or none that can be read. */
function sendCommand(socket: Socket, command: Command): Promise<Ack | null> {
  return new Promise((resolve) => {
    socket.timeout(ANSWER_TIMEOUT).emit('command', command, (late: unknown, answer: unknown) => {
      resolve(late ? null : (ack.safeParse(answer).data ?? null));
    });
  });
}
