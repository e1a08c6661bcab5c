import type { EventPort, ServerEvent } from '@evenkeel/protocol';
import type { Log } from './log.ts';

type Receive = (event: ServerEvent) => void;

/** Events within one process: whoever subscribes has received an event when `publish` returns. */
export class LocalEventPort implements EventPort {
  readonly #log: Log;
  readonly #subscribers = new Set<Receive>();

  constructor(log: Log) {
    this.#log = log;
  }

  publish(event: ServerEvent): void {
    for (const receive of this.#subscribers) {
      try {
        receive(event);
      } catch (error) {
        this.#log('error', `acting on the event "${event.kind}" failed`, error);
      }
    }
  }

  subscribe(receive: Receive): () => void {
    const own: Receive = (event) => receive(event); // the same function may subscribe twice
    this.#subscribers.add(own);
    return () => this.#subscribers.delete(own);
  }
}
