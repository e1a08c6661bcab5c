import {
  type Ack,
  type CommandDone,
  encodeSteps,
  type IngestHandshake,
  type Refusal,
  type RunFinish,
  type RunStart,
  refusal,
  type StepEvent,
} from '@evenkeel/protocol';
import { Manager, type Socket } from 'socket.io-client';
import type { CommandDesk } from './command-desk.ts';
import { DetachedWebSocket } from './detached-websocket.ts';
import { insist, type Patience } from './insist.ts';
import type { Outbox } from './outbox.ts';
import type { Warn } from './warn.ts';

/** Milliseconds. */
export interface Timing extends Patience {
  /** The pause before a server that has refused the handshake is asked again: a key may have been created since. */
  refused: number;
  /** The pause before a lost connection is opened again; it doubles each time, up to `longestReconnect`. */
  reconnect: number;
  longestReconnect: number;
}

export const TIMING: Timing = {
  answer: 10_000,
  pause: 1_000,
  longestPause: 30_000,
  refused: 30_000,
  reconnect: 500,
  longestReconnect: 5_000,
};

/** What opening a connection may take before it is tried afresh. */
const CONNECT_TIMEOUT = 10_000;

export interface ConnectionOptions {
  server: URL;
  handshake: IngestHandshake;
  start: RunStart;
  outbox: Outbox;
  commands: CommandDesk;
  warn: Warn;
  timing: Timing;
  /** The server will never take anything of this run. */
  onRefused: () => void;
}

interface End {
  message: RunFinish;
  done: (accepted: boolean) => void;
}

/**
 * A run's line to the server. Nothing waits for it: steps are put into the outbox, and leave it whenever there is a
 * connection. It does not keep the process alive.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  /** Aborted when the present connection breaks. */
  #line = new AbortController();
  #retry: NodeJS.Timeout | undefined;
  #wake = () => {};
  #end: End | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#socket = createSocket(options);
    this.#socket.on('connect', () => this.#onConnect());
    this.#socket.on('connect_error', (error) => this.#onConnectError(error));
    this.#socket.on('disconnect', () => this.#onDisconnect());
    this.#socket.on('command', (payload, reply) => {
      options.commands.take(payload, (ack) => typeof reply === 'function' && reply(ack));
    });
    this.#socket.connect();
  }

  /** There is something to send: steps in the outbox, or what came of a command. */
  wake(): void {
    this.#wake();
  }

  /** Sends what is in the outbox, then the end of the run; resolves to whether the server took that. */
  finish(message: RunFinish): Promise<boolean> {
    return new Promise((done) => {
      this.#end = { message, done };
      if (this.#retry) this.#connectAgain();
      this.#wake();
    });
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#socket.removeAllListeners();
    this.#socket.disconnect();
    this.#hangUp();
  }

  #onConnect(): void {
    this.#line = new AbortController();
    this.#serve(this.#line.signal).catch((error) => {
      this.#options.warn(`an internal failure holds the steps back until the next connection: ${error}`);
    });
  }

  #onConnectError(error: Error & { data?: unknown; description?: unknown }): void {
    const { server, timing, warn } = this.#options;
    if (this.#socket.active) {
      const cause = error.description instanceof Object && 'message' in error.description && error.description.message;
      warn(
        `${server.origin} cannot be reached (${cause || error.message}): steps are kept until it can`,
        'unreachable',
      );
      return;
    }
    const refused = refusal.safeParse(error.data).data ?? { error: error.message, field: '', retry: false };
    const pause = refused.retry ? timing.pause : timing.refused;
    warn(`${server.origin} refuses this client: ${words(refused)} (it is asked again every ${pause / 1000} s)`);
    this.#connectAfter(pause);
  }

  #onDisconnect(): void {
    this.#hangUp();
    // socket.io comes back by itself, except where the server has sent it away.
    if (!this.#socket.active) this.#connectAfter(this.#options.timing.pause);
  }

  #hangUp(): void {
    this.#line.abort();
    this.#wake();
  }

  #connectAfter(pause: number): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connectAgain(), pause).unref();
  }

  #connectAgain(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#socket.connect();
  }

  /** The life of one connection: the run's start, then what there is to tell, one message at a time, then the run's end. */
  async #serve(line: AbortSignal): Promise<void> {
    if (!(await this.#sendStart(line))) return;
    while (!line.aborted) {
      const report = this.#options.commands.nextReport();
      const steps = this.#options.outbox.nextBatch();
      if (report) await this.#sendReport(report, line);
      else if (steps) await this.#sendSteps(steps, line);
      else if (this.#end) return this.#sendEnd(this.#end, line);
      else await this.#idle(line);
    }
  }

  async #sendStart(line: AbortSignal): Promise<boolean> {
    const { start, warn, onRefused } = this.#options;
    const answer = await this.#insist('run:start', start, line);
    if (answer && 'error' in answer) {
      warn(`the server refuses this run, nothing of it is kept or sent: ${words(answer)}`);
      onRefused();
      this.#end?.done(false);
      return false;
    }
    return answer !== null;
  }

  async #sendSteps(steps: StepEvent[], line: AbortSignal): Promise<void> {
    const { outbox, start, warn } = this.#options;
    const frame = encodeSteps({ run: start.run, attempt: start.attempt, steps });
    const answer = await this.#insist('steps', frame, line);
    if (!answer) return; // the batch stays in flight: it goes out again on the next connection
    if ('ok' in answer) return outbox.acknowledge();
    outbox.refuse();
    const problem = words(answer);
    const kind = problem.replaceAll(/\d+/g, '#'); // one warning, whichever the step
    warn(`the server refused ${steps.length} steps, which are dropped: ${problem}`, `steps: ${kind}`);
  }

  async #sendReport(report: CommandDone, line: AbortSignal): Promise<void> {
    const answer = await this.#insist('command:done', report, line);
    if (!answer) return; // it goes out again on the next connection
    this.#options.commands.reported();
    if ('error' in answer) this.#options.warn(`the server refused what came of a command: ${words(answer)}`);
  }

  async #sendEnd({ message, done }: End, line: AbortSignal): Promise<void> {
    const answer = await this.#insist('run:finish', message, line);
    if (!answer) return; // it goes out again on the next connection
    if ('error' in answer) this.#options.warn(`the server refused the end of the run: ${words(answer)}`);
    done('ok' in answer);
  }

  #insist(event: string, message: unknown, line: AbortSignal): Promise<Ack | null> {
    return insist(this.#socket, event, message, this.#options.timing, line);
  }

  /** Until there is something to send or the line breaks. */
  #idle(line: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (line.aborted) resolve();
    });
  }
}

function createSocket({ server, handshake, timing }: ConnectionOptions): Socket {
  const manager = new Manager(server.origin, {
    transports: [DetachedWebSocket],
    autoConnect: false,
    autoUnref: true,
    timeout: CONNECT_TIMEOUT,
    reconnectionDelay: timing.reconnect,
    reconnectionDelayMax: timing.longestReconnect,
  });
  return manager.socket('/ingest', { auth: handshake });
}

function words({ field, error }: Refusal): string {
  return field ? `${field}: ${error}` : error;
}
