import { randomUUID } from 'node:crypto';
import { encodeSteps, PROTOCOL_VERSION, type StepEvent } from '@evenkeel/protocol';
import { io, type Socket } from 'socket.io-client';

const LAYERS = ['embedding', 'block 1', 'block 2', 'head'];

/** A run on a connection of its own, whose batches go out whether or not the ones before were acknowledged. */
export class RawEmitter implements Disposable {
  readonly #socket: Socket;
  readonly #run = randomUUID();
  #step = 0;

  constructor(url: string) {
    const auth = { protocol: PROTOCOL_VERSION, client: 'evenkeel bench load' };
    this.#socket = io(`${url}/ingest`, { transports: ['websocket'], forceNew: true, reconnection: false, auth });
  }

  async start(name: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.once('connect', resolve);
      this.#socket.once('connect_error', reject);
    });
    const start = { run: this.#run, attempt: 1, project: 'bench', name, startedAt: Date.now(), layers: LAYERS };
    await this.#socket.emitWithAck('run:start', start);
  }

  /** Sends the next steps; calls back once they are acknowledged. */
  send(count: number, onAck: (ack: unknown) => void): void {
    const steps = Array.from({ length: count }, (_, at) => stepAt(this.#step + at));
    this.#step += count;
    this.#socket.emit('steps', encodeSteps({ run: this.#run, attempt: 1, steps }), onAck);
  }

  [Symbol.dispose](): void {
    this.#socket.disconnect();
  }
}

function stepAt(step: number): StepEvent {
  const noise = ((step * 7_919) % 997) / 9_970;
  return {
    step,
    time: Date.now(),
    loss: 2 + noise,
    tevMean: 0.1 + noise,
    tevStd: 0.01,
    gradVar: 1 + noise,
    gradNorm: 1,
    lr: 1e-3,
    tokens: 4_096 * step,
    layerGradVar: LAYERS.map((_, at) => at + noise),
  };
}
