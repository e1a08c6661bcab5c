import { randomUUID } from 'node:crypto';
import { io, type Socket } from 'socket.io-client';
import { type BenchStep, frameOf } from './frame.ts';

const STARTED_AT_ONCE = 100;
const LAYERS = ['embedding', 'block 1', 'block 2', 'head'];

/** A run on a connection of its own, whose batches go out whether or not the ones before were acknowledged. */
export class RawEmitter implements Disposable {
  readonly #socket: Socket;
  readonly #run = randomUUID();
  #step = 0;

  constructor(url: string) {
    const auth = { protocol: 1, client: 'evenkeel bench load' };
    this.#socket = io(`${url}/ingest`, { transports: ['websocket'], forceNew: true, reconnection: false, auth });
  }

  async start(name: string): Promise<void> {
    await this.#connected();
    const start = { run: this.#run, attempt: 1, project: 'bench', name, startedAt: Date.now(), layers: LAYERS };
    await this.#socket.emitWithAck('run:start', start);
  }

  /** Stores runs without steps, which have ended: a list has them like any others. */
  async storeRuns(count: number): Promise<void> {
    await this.#connected();
    const one = async (at: number) => {
      const run = randomUUID();
      const name = `run ${at}`;
      const start = {
        run,
        attempt: 1,
        project: 'bench',
        name,
        startedAt: Date.now(),
        config: { seed: at },
        tags: ['bench'],
      };
      await this.#socket.emitWithAck('run:start', start);
      await this.#socket.emitWithAck('run:finish', { run, attempt: 1, status: 'finished' });
    };
    for (let at = 0; at < count; at += STARTED_AT_ONCE) {
      await Promise.all(Array.from({ length: Math.min(STARTED_AT_ONCE, count - at) }, (_, next) => one(at + next)));
    }
  }

  #connected(): Promise<void> {
    if (this.#socket.connected) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#socket.once('connect', resolve);
      this.#socket.once('connect_error', reject);
    });
  }

  /** Sends the next steps; calls back once they are acknowledged. */
  send(count: number, onAck: (ack: unknown) => void): void {
    const steps = Array.from({ length: count }, (_, at) => stepAt(this.#step + at));
    this.#step += count;
    this.#socket.emit('steps', frameOf(this.#run, steps), onAck);
  }

  /** The server has closed the connection. */
  onCutOff(cutOff: () => void): void {
    this.#socket.once('disconnect', cutOff);
  }

  [Symbol.dispose](): void {
    this.#socket.disconnect();
  }
}

function stepAt(step: number): BenchStep {
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
