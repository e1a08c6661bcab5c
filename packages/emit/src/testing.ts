import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import { accepted, decodeSteps, MAX_FRAME_BYTES, type RefusedError, type StepEvent } from '@evenkeel/protocol';
import { Server, type ServerOptions, type Socket } from 'socket.io';
import { vi } from 'vitest';
import { TIMING, type Timing } from './connection.ts';
import type { StartRunOptions } from './public.ts';
import type { SpoolTuning } from './spool.ts';
import { openRun } from './start-run.ts';

/** A message that the server received. */
interface Message {
  event: string;
  payload: unknown;
  steps: readonly StepEvent[];
}

/** The answer to a message, good or bad; null for none at all. */
type Answer = (message: Message, socket: Socket) => unknown;

/** A socket.io server that keeps what it accepted, and can go away and come back on its port. */
export class IngestServer {
  readonly received: Message[] = [];
  readonly accepted: StepEvent[] = [];
  readonly handshakes: Record<string, unknown>[] = [];
  answer: Answer = () => ({ ok: true });
  admit: (auth: Record<string, unknown>) => RefusedError | null = () => null;
  readonly #options: Partial<ServerOptions>;
  #http: HttpServer | null = null;
  #io: Server | null = null;
  #port = 0;

  private constructor(options: Partial<ServerOptions>) {
    this.#options = options;
  }

  static async listen(options: Partial<ServerOptions> = {}): Promise<IngestServer> {
    const server = new IngestServer(options);
    await server.start();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get batches(): number[][] {
    return this.received.filter(({ event }) => event === 'steps').map(({ steps }) => steps.map(({ step }) => step));
  }

  get acceptedSteps(): number[] {
    return this.accepted.map(({ step }) => step);
  }

  get sockets(): Socket[] {
    return [...(this.#io?.of('/ingest').sockets.values() ?? [])];
  }

  async start(): Promise<void> {
    this.#http = createServer();
    this.#io = new Server(this.#http, {
      maxHttpBufferSize: MAX_FRAME_BYTES,
      transports: ['websocket'],
      ...this.#options,
    });
    const ingest = this.#io.of('/ingest');
    ingest.use((socket, next) => {
      this.handshakes.push(socket.handshake.auth);
      const refused = this.admit(socket.handshake.auth);
      next(refused ? Object.assign(new Error(refused.message), { data: refused.toRefusal() }) : undefined);
    });
    ingest.on('connection', (socket) => {
      socket.onAny((event, payload, reply) => void this.#receive(socket, event, payload, reply));
    });
    if (this.#port === 0) this.#port = await listenAnywhere(this.#http);
    else await listenOn(this.#http, this.#port);
  }

  async stop(): Promise<void> {
    await this.#io?.close();
    this.#io = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #receive(socket: Socket, event: string, payload: unknown, reply: (ack: unknown) => void): Promise<void> {
    const steps = payload instanceof Uint8Array ? decodeSteps(payload).steps : [];
    const message = { event, payload, steps };
    this.received.push(message);
    const answer = await this.answer(message, socket);
    if (accepted.safeParse(answer).success) this.accepted.push(...steps);
    if (answer) reply(answer);
  }
}

/** Below the ports that a system hands out by itself: no other process takes it while the server is away. */
async function listenAnywhere(http: HttpServer): Promise<number> {
  const port = 10_000 + Math.floor(20_000 * Math.random());
  return listenOn(http, port).then(
    () => port,
    (error) => (error.code === 'EADDRINUSE' ? listenAnywhere(http) : Promise.reject(error)),
  );
}

async function listenOn(http: HttpServer, port: number): Promise<void> {
  http.listen(port, '127.0.0.1');
  await once(http, 'listening');
}

/** Pauses of milliseconds; what depends on the speed of the link or the server stays as it is in real runs. */
const TEST_TIMING: Timing = {
  ...TIMING,
  pause: 5,
  longestPause: 20,
  refused: 20,
  reconnect: 10,
  longestReconnect: 50,
};

/** Where answers are missing: of a server that is only slow, a step would come twice. */
export const IMPATIENT: Partial<Timing> = { answer: 500 };

/** A run that retries within milliseconds, keeps its warnings, and is over with the test. */
export function openTestRun(
  server: { url: string },
  options: Partial<StartRunOptions> = {},
  maxSteps = 100_000,
  timing: Partial<Timing> = {},
  spool: Partial<SpoolTuning> = {},
) {
  const warnings: string[] = [];
  const run = openRun(
    {
      server: server.url,
      project: 'demo',
      name: 'twin',
      onWarning: (message) => void warnings.push(message),
      spool: false,
      handleExit: false, // the process is the test's
      ...options,
    },
    {
      limits: { steps: maxSteps, bytes: 2 ** 28 },
      timing: { ...TEST_TIMING, ...timing },
      spool: { after: 50, flush: 5, maxBytes: 2 ** 28, ...spool },
    },
  );
  return {
    run,
    warnings,
    [Symbol.asyncDispose]: async () => void (await run.finish('stopped', undefined, { timeoutMs: 0 })),
  };
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

/** Until the server has acknowledged every step. */
export async function settled(run: { pending: number }): Promise<void> {
  await vi.waitFor(() => {
    if (run.pending > 0) throw new Error(`${run.pending} steps are pending`);
  }, 60_000);
}
