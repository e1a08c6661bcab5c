import { setImmediate as nextTurn } from 'node:timers/promises';
import { RefusedError } from '@evenkeel/protocol';
import { TurnQueue } from './turn-queue.ts';

export interface IntakeLimits {
  /** What one connection may have unacknowledged: messages, and their bytes. */
  connectionBatches: number;
  connectionBytes: number;
  /** Messages of a connection with too much unacknowledged that are refused before it is cut off. */
  connectionRefusals: number;
  /** What one connection may have decoded and not stored, in bytes of its messages; one message may be larger. */
  decodedBytes: number;
  /** Past so many unacknowledged bytes of all connections together, each may have one message. */
  allBytes: number;
}

/** emit has one batch of at most 1 MiB in flight for each run. */
const LIMITS: IntakeLimits = {
  connectionBatches: 1_024,
  connectionBytes: 16 * 1024 * 1024,
  connectionRefusals: 16,
  decodedBytes: 512 * 1024,
  allBytes: 128 * 1024 * 1024,
};
/** Past so many times `allBytes` nothing is accepted: closed connections may leave messages behind. */
const MAX_TIMES = 2;

/** Decodes a message at once, and resolves when what it holds is stored. */
type Store<Result> = () => Promise<Result>;

interface Message {
  connection: string;
  bytes: number;
  /** When it came, in milliseconds since 1970. */
  since: number;
  start: () => void;
  refuse: (error: RefusedError) => void;
  isDecoded: boolean;
}

interface Unacknowledged {
  batches: number;
  /** Messages that were refused since it last had nothing unacknowledged. */
  refused: number;
  bytes: number;
  /** Of messages that are decoded. */
  decoded: number;
}

interface IntakeOptions {
  /** Milliseconds since 1970. */
  now: () => number;
  limits?: IntakeLimits;
  onFlood?: (connection: string) => void;
}

/** What has been received and is not acknowledged. */
export interface Backlog {
  batches: number;
  bytes: number;
  /** When the oldest message came, in milliseconds since 1970; null where there is none. */
  oldest: number | null;
}

/**
 * Decodes the step messages of all connections in turn, one for each, with a turn of the event loop after every one.
 * Decoding 4,096 steps takes some 20 ms: done as messages come, those of one connection would keep all others waiting.
 */
export class Intake {
  readonly #now: () => number;
  readonly #limits: IntakeLimits;
  readonly #onFlood: (connection: string) => void;
  readonly #waiting = new TurnQueue<Message>();
  readonly #connections = new Map<string, Unacknowledged>();
  /** Every unacknowledged message, the oldest first, and when it is answered. */
  readonly #messages = new Map<Message, Promise<unknown>>();
  #bytes = 0;
  #isDecoding = false;

  /** @param onFlood called for a connection that goes on sending what is refused: reading it is a load too. */
  constructor({ now, limits = LIMITS, onFlood = () => {} }: IntakeOptions) {
    this.#now = now;
    this.#onFlood = onFlood;
    this.#limits = limits;
  }

  get backlog(): Backlog {
    const [oldest] = this.#messages.keys();
    return { batches: this.#messages.size, bytes: this.#bytes, oldest: oldest?.since ?? null };
  }

  /**
   * Calls `store` when it is this connection's turn, and settles as that does.
   * @throws RefusedError at once, before anything is decoded, where too much is unacknowledged already.
   */
  async add<Result>(connection: string, payload: unknown, store: Store<Result>): Promise<Result> {
    const bytes = bytesOf(payload);
    this.#refuseExcess(connection, bytes);
    const held = this.#connections.get(connection) ?? { batches: 0, refused: 0, bytes: 0, decoded: 0 };
    this.#connections.set(connection, held);
    held.batches += 1;
    held.bytes += bytes;
    this.#bytes += bytes;
    const message: Message = {
      connection,
      bytes,
      since: this.#now(),
      start: () => {},
      refuse: () => {},
      isDecoded: false,
    };
    const stored = new Promise<Result>((resolve, reject) => {
      message.start = () => resolve(store());
      message.refuse = reject;
    }).finally(() => this.#release(message, held));
    this.#messages.set(message, stored);
    this.#waiting.add(connection, message);
    void this.#decode();
    return stored;
  }

  /** Resolves when every message of a connection that has come in until now is answered. */
  async settled(connection: string): Promise<void> {
    const own = [...this.#messages].filter(([message]) => message.connection === connection);
    await Promise.allSettled(own.map(([, stored]) => stored));
  }

  #refuseExcess(connection: string, bytes: number): void {
    const { connectionBatches, connectionBytes, connectionRefusals, allBytes } = this.#limits;
    const held = this.#connections.get(connection);
    const isTooMuch = held && (held.batches >= connectionBatches || held.bytes + bytes > connectionBytes);
    if (isTooMuch) {
      held.refused += 1;
      if (held.refused === connectionRefusals) this.#cutOff(connection);
      throw new RefusedError(
        '',
        `this connection has ${held.batches} batches unacknowledged, which is too much: wait for their acks, then try again`,
        true,
      );
    }
    if (this.#bytes + bytes > (held ? 1 : MAX_TIMES) * allBytes)
      throw new RefusedError('', 'the server has too many batches waiting: try again', true);
  }

  /** What it has waiting is refused too: nobody would receive the acks, and storing it is a load for all others. */
  #cutOff(connection: string): void {
    this.#onFlood(connection);
    const error = new RefusedError('', 'this connection has sent too much: try again', true);
    for (const message of this.#waiting.removeAll(connection)) message.refuse(error);
  }

  async #decode(): Promise<void> {
    if (this.#isDecoding) return;
    this.#isDecoding = true;
    for (let message = this.#next(); message; message = this.#next()) {
      const { connection, bytes } = message;
      const held = this.#connections.get(connection);
      message.isDecoded = true;
      if (held) held.decoded += bytes;
      this.#waiting.remove(connection, message);
      this.#waiting.pass(connection);
      message.start();
      await nextTurn();
    }
    this.#isDecoding = false;
  }

  #next(): Message | null {
    return this.#waiting.next((connection) => {
      const decoded = this.#connections.get(connection)?.decoded ?? 0;
      return decoded < this.#limits.decodedBytes;
    });
  }

  #release(message: Message, held: Unacknowledged): void {
    const { connection, bytes } = message;
    this.#messages.delete(message);
    this.#bytes -= bytes;
    held.batches -= 1;
    held.bytes -= bytes;
    if (message.isDecoded) held.decoded -= bytes;
    if (held.batches === 0) this.#connections.delete(connection);
    void this.#decode();
  }
}

/** How deep the values of a batch in JSON lie: in a step's arrays, and in one that somebody sends as a custom scalar. */
const DEPTH = 5;

/**
 * Of a binary message exactly; of one in JSON about what the same would take in binary.
 * @throws RefusedError where it is nested deeper than a batch can be: what lies there would not be counted.
 */
function bytesOf(payload: unknown, depth = 0): number {
  if (payload instanceof Uint8Array) return payload.byteLength;
  if (typeof payload === 'string') return payload.length;
  if (typeof payload !== 'object' || payload === null) return 8;
  if (depth >= DEPTH) throw new RefusedError('', 'it is nested deeper than a batch of steps can be');
  let bytes = 8;
  for (const [key, value] of Object.entries(payload)) bytes += key.length + bytesOf(value, depth + 1);
  return bytes;
}
