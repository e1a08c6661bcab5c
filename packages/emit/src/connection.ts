import {
  type Accepted,
  type Ack,
  type CommandDone,
  type DropCount,
  type DroppedValue,
  encodeSteps,
  type IngestHandshake,
  printable,
  type Refusal,
  type RunEnd,
  refusal,
  type StartRequest,
  type StepEvent,
  storableReason,
  storableText,
} from '@evenkeel/protocol';
import { Manager, type Socket } from 'socket.io-client';
import { AcknowledgementWatch } from './acknowledgement-watch.ts';
import { BatchSize, type BatchTiming } from './batch-size.ts';
import type { CommandDesk } from './command-desk.ts';
import { DetachedWebSocket, isOverlong, MAX_PAYLOAD } from './detached-websocket.ts';
import { openAttempt } from './open-attempt.ts';
import type { Outbox } from './outbox.ts';
import type { OpenedAttempt } from './public.ts';
import { type RetryPolicy, retry } from './retry.ts';
import type { Warn } from './warn.ts';

/** Milliseconds. */
export interface Timing extends RetryPolicy, BatchTiming {
  /** How long steps may wait for an acknowledgement while the server is connected, before that is warned of. */
  unacknowledged: number;
  /** The shortest time from one report of what was left out to the next, while the run goes on. */
  dropped: number;
  /** The pause before a server that has refused the handshake is asked again: a key may have been created since. */
  refused: number;
  /** The pause before a lost connection is opened again; it doubles each time, up to `longestReconnect`. */
  reconnect: number;
  longestReconnect: number;
}

export const TIMING: Timing = {
  answer: 10_000,
  longestAnswer: 120_000,
  pause: 1_000,
  longestPause: 30_000,
  quickAnswer: 1_000,
  lateAnswer: 4_000,
  unacknowledged: 30_000,
  dropped: 5_000,
  refused: 30_000,
  reconnect: 500,
  longestReconnect: 5_000,
};

/** What is kept of a field's name and of a reason that a server sends. */
const MAX_FIELD_LENGTH = 500;
/** What is shown of a sentence that a server sends with its answer. */
const MAX_WARNING_LENGTH = 1_000;
/** Milliseconds that opening a connection may take before it is tried again. */
const CONNECT_TIMEOUT = 10_000;

export interface ConnectionOptions {
  server: URL;
  handshake: IngestHandshake;
  start: StartRequest;
  outbox: Outbox;
  commands: Pick<CommandDesk, 'take' | 'nextReport' | 'reported'>;
  /** Values that were dropped from steps before they came here; reported to the server. */
  ownDrops: Pick<DropCount, 'total' | 'values'>;
  /** Collects the values that the server dropped from steps. */
  drops: DropCount;
  warn: Warn;
  timing: Timing;
  /** The server has opened the attempt, on the first connection or again. */
  onOpened?: ((opened: OpenedAttempt) => void) | undefined;
  /** The server will never take anything of this run; in its words. */
  onRefused: (reason: string) => void;
  /** The server cannot be reached, or refuses this client, for now; in words. */
  onAway?: ((reason: string, isReachable: boolean) => void) | undefined;
}

interface End {
  /** Null where no end is sent. */
  message: RunEnd | null;
  done: (accepted: boolean) => void;
}

/**
 * A run's connection to the server. Nothing waits for it: steps are put into the outbox, and leave it whenever there is a
 * connection. It does not keep the process alive.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  /** Of what is sent: known once the start is answered. */
  #attempt = 0;
  /** Aborted when the present connection breaks. */
  #line = new AbortController();
  readonly #batchSize: BatchSize;
  readonly #watch: AcknowledgementWatch;
  #reconnect: NodeJS.Timeout | undefined;
  /** What waits for something to send. */
  #idlers: (() => void)[] = [];
  #end: End | null = null;
  /** What was last reported of `ownDrops`, and when. */
  #reported = { total: 0, at: Number.NEGATIVE_INFINITY };
  #isClosed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { outbox, timing, warn } = options;
    this.#batchSize = new BatchSize(timing);
    this.#socket = createSocket(options);
    this.#watch = new AcknowledgementWatch({
      limit: timing.unacknowledged,
      warn,
      isConnected: () => this.#socket.connected,
      pending: () => outbox.pending,
    });
    this.#socket.on('connect', () => this.#onConnect());
    this.#socket.on('connect_error', (error) => this.#onConnectError(error));
    this.#socket.on('disconnect', (_reason, details) => this.#onDisconnect(details));
    this.#socket.on('command', (payload, reply) => {
      options.commands.take(payload, (ack) => typeof reply === 'function' && reply(ack));
    });
  }

  /** Connects. Until then what there is to send waits. */
  open(): void {
    if (!this.#isClosed) this.#socket.connect();
  }

  /** There is something to send: steps in the outbox, or the result of a command. */
  wake(): void {
    if (this.#options.outbox.pending > 0) this.#watch.start();
    const idlers = this.#idlers;
    this.#idlers = [];
    for (const resume of idlers) resume();
  }

  /** Sends what is in the outbox, then the end of the run where there is one; resolves to whether the server took that. */
  finish(message: RunEnd | null): Promise<boolean> {
    return new Promise((done) => {
      this.#end = { message, done };
      if (this.#reconnect) this.#connectAgain();
      this.wake();
    });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#reconnect);
    this.#socket.removeAllListeners();
    this.#socket.disconnect();
    this.#hangUp();
    this.#watch.close();
  }

  #onConnect(): void {
    this.#line = new AbortController();
    this.#serve(this.#line.signal).catch((error) => {
      this.#options.warn(`an internal failure holds the steps back until the next connection: ${error}`);
    });
  }

  #onConnectError(error: Error & { data?: unknown; description?: unknown }): void {
    const { server, timing, warn, onAway } = this.#options;
    if (this.#socket.active) {
      const cause = error.description instanceof Object && 'message' in error.description && error.description.message;
      const problem = `${server.origin} cannot be reached (${cause || error.message})`;
      warn(`${problem}: steps are kept until it can`, 'unreachable');
      onAway?.(problem, false);
      return;
    }
    const refused = refusal.safeParse(error.data).data ?? { error: error.message, field: '', retry: false };
    const pause = refused.retry ? timing.pause : timing.refused;
    const problem = `${server.origin} refuses this client: ${words(refused)}`;
    warn(`${problem} (it is asked again every ${pause / 1000} s)`);
    onAway?.(problem, true);
    this.#connectAfter(pause);
  }

  #onDisconnect(details: unknown): void {
    this.#hangUp();
    this.#socket.sendBuffer = []; // or it would go out on the next connection, ahead of the start of the run
    if (isOverlong(details)) {
      const limit = `${MAX_PAYLOAD / 1024} KiB`;
      this.#options.warn(`the server sent a message of more than ${limit}: it was not read, and the connection closed`);
    }
    // socket.io comes back by itself, except where the server has sent it away.
    if (!this.#socket.active) this.#connectAfter(this.#options.timing.pause);
  }

  #hangUp(): void {
    this.#line.abort();
    this.wake();
  }

  #connectAfter(pause: number): void {
    clearTimeout(this.#reconnect);
    this.#reconnect = setTimeout(() => this.#connectAgain(), pause).unref();
  }

  #connectAgain(): void {
    clearTimeout(this.#reconnect);
    this.#reconnect = undefined;
    this.#socket.connect();
  }

  /**
   * The life of one connection: the run's start, then steps, reports and what was left out, then the run's end. One
   * message of each kind is under way at a time, and none waits for another.
   */
  async #serve(line: AbortSignal): Promise<void> {
    if (!(await this.#sendStart(line))) return;
    await Promise.all([this.#sendSteps(line), this.#sendReports(line), this.#sendDropped(line)]);
    await this.#sendReports(line); // results of commands from while the last steps were sent
    if (this.#end && !line.aborted) await this.#sendEnd(this.#end, line);
  }

  async #sendStart(line: AbortSignal): Promise<boolean> {
    const { start, warn, onRefused } = this.#options;
    const answer = await openAttempt(start, (each) => this.#retry('run:start', each, line));
    if (answer && 'error' in answer) {
      warn(`the server refuses this run, nothing of it is kept or sent: ${words(answer)}`, 'refused run');
      onRefused(words(answer));
      this.#end?.done(false);
      return false;
    }
    if (answer) this.#onOpened(answer);
    return answer !== null;
  }

  #onOpened({ attempt = Number(this.#options.start.attempt), newest }: Accepted): void {
    this.#attempt = attempt;
    this.#options.onOpened?.({ attempt, lastStep: newest?.lastStep ?? null });
  }

  async #sendSteps(line: AbortSignal): Promise<void> {
    const take = () => this.#options.outbox.nextBatch(this.#batchSize.bytes);
    for (let steps = await this.#next(take, line); steps; steps = await this.#next(take, line)) {
      await this.#sendBatch(steps, line);
    }
  }

  async #sendBatch(steps: StepEvent[], line: AbortSignal): Promise<void> {
    const { outbox, start } = this.#options;
    const frame = encodeSteps({ run: start.run, attempt: this.#attempt, steps });
    const sentAt = performance.now();
    const answer = await this.#retry('steps', frame, line);
    const elapsed = performance.now() - sentAt;
    if (!answer) {
      this.#batchSize.broke(frame.byteLength, elapsed);
      if (frame.byteLength > this.#batchSize.bytes) outbox.recall();
      return; // these steps go out again on the next connection
    }
    this.#batchSize.answered(frame.byteLength, elapsed);
    if ('ok' in answer) this.#onStored(answer);
    else this.#dropBatch(steps, answer);
    this.#watch.answered();
  }

  #onStored({ dropped = [], conflicts = [], warning }: Accepted): void {
    const { outbox, drops, warn } = this.#options;
    outbox.acknowledge();
    if (warning !== undefined) warn(`the server: ${printable(warning.slice(0, MAX_WARNING_LENGTH))}`, 'notice: server');
    for (const { field, reason, count } of dropped) {
      drops.add(storableText(field, MAX_FIELD_LENGTH), storableText(reason, MAX_FIELD_LENGTH), count);
      const where = printable(`${field}: ${reason}`.slice(0, 2 * MAX_FIELD_LENGTH));
      warn(`the server left a value out of ${count} ${count === 1 ? 'step' : 'steps'}: ${where}`, `dropped ${where}`);
    }
    for (const { field, step } of conflicts) {
      const what = printable(field.slice(0, MAX_FIELD_LENGTH));
      warn(
        `another emitter of this attempt sends another value of ${what} for step ${step}: the later one is kept`,
        `notice: conflict ${what}`,
      );
    }
  }

  #dropBatch({ length }: StepEvent[], refused: Refusal): void {
    const { outbox, warn } = this.#options;
    outbox.refuse();
    const problem = words(refused);
    const kind = problem.replaceAll(/\d+/g, '#'); // one warning, whichever the step
    warn(`the server refused ${length} steps, which are dropped: ${problem}`, `steps: ${kind}`);
  }

  async #sendReports(line: AbortSignal): Promise<void> {
    const { commands } = this.#options;
    const take = () => commands.nextReport();
    for (let report = await this.#next(take, line); report; report = await this.#next(take, line)) {
      await this.#sendReport(report, line);
    }
  }

  async #sendReport(report: CommandDone, line: AbortSignal): Promise<void> {
    const answer = await this.#retry('command:done', report, line);
    if (!answer) return; // it goes out again on the next connection
    this.#options.commands.reported();
    if ('error' in answer) this.#options.warn(`the server refused the result of a command: ${words(answer)}`);
  }

  async #sendDropped(line: AbortSignal): Promise<void> {
    const take = () => this.#dropsToReport();
    for (let dropped = await this.#next(take, line); dropped; dropped = await this.#next(take, line)) {
      await this.#reportDropped(dropped, line);
    }
  }

  /** All that was left out so far; null where the server knows it, or received a report just now. */
  #dropsToReport(): DroppedValue[] | null {
    const { ownDrops, timing } = this.#options;
    const isDue = this.#end !== null || performance.now() - this.#reported.at >= timing.dropped;
    return isDue && ownDrops.total > this.#reported.total ? ownDrops.values() : null;
  }

  async #reportDropped(dropped: DroppedValue[], line: AbortSignal): Promise<void> {
    const { start, warn } = this.#options;
    const answer = await this.#retry('run:dropped', { run: start.run, attempt: this.#attempt, dropped }, line);
    if (!answer) return; // it goes out again on the next connection
    const total = dropped.reduce((sum, { count }) => sum + count, 0);
    this.#reported = { total, at: performance.now() };
    if ('error' in answer) warn(`the server refused the counts of what was left out: ${words(answer)}`);
  }

  async #sendEnd({ message, done }: End, line: AbortSignal): Promise<void> {
    const { start, warn } = this.#options;
    if (!message) return done(true);
    const answer = await this.#retry('run:finish', { run: start.run, attempt: this.#attempt, ...message }, line);
    if (!answer) return; // it goes out again on the next connection
    if ('error' in answer) warn(`the server refused the end of the run: ${words(answer)}`);
    done('ok' in answer);
  }

  #retry(event: string, message: unknown, line: AbortSignal): Promise<Ack | null> {
    return retry(this.#socket, event, message, this.#options.timing, line);
  }

  /** What there is to send next; null once the line breaks, or the run has ended and nothing is left. */
  async #next<Message>(take: () => Message | null, line: AbortSignal): Promise<Message | null> {
    while (!line.aborted) {
      const message = take();
      if (message || this.#end) return message;
      await this.#idle(line);
    }
    return null;
  }

  /** Until there is something to send or the line breaks. */
  #idle(line: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (line.aborted) resolve();
      else this.#idlers.push(resolve);
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

/** For a terminal, and no longer than a reason, whatever the server says. */
function words({ field, error }: Refusal): string {
  return printable(storableReason(field ? `${field}: ${error}` : error));
}
