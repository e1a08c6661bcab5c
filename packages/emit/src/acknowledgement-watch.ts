import type { Warn } from './warn.ts';

const KIND = 'unacknowledged';

export interface AcknowledgementWatchOptions {
  /** Milliseconds. */
  limit: number;
  warn: Warn;
  isConnected: () => boolean;
  /** Steps that are not acknowledged. */
  pending: () => number;
}

/** Warns where steps wait for long though there is a connection. */
export class AcknowledgementWatch {
  readonly #options: AcknowledgementWatchOptions;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: AcknowledgementWatchOptions) {
    this.#options = options;
  }

  /** A step is pending: from now on one has to be acknowledged in time. */
  start(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => this.#onLimit(), this.#options.limit).unref();
  }

  /** The server has answered steps. */
  answered(): void {
    this.#stop();
    this.#options.warn.forget(KIND);
    if (this.#options.pending() > 0) this.start();
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #onLimit(): void {
    const { limit, warn, isConnected, pending } = this.#options;
    if (isConnected()) {
      const time = `${limit / 1000} s`;
      warn(`the server has acknowledged no steps for ${time}, though it is connected: ${pending()} are kept`, KIND);
    }
    this.#timer?.refresh(); // a connection may come back, and still nothing be acknowledged
  }
}
