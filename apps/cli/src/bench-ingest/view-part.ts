import { decodeSteps } from '@evenkeel/protocol';
import { io, type Socket } from 'socket.io-client';
import type { Measuring } from './part.ts';

export interface ViewTask {
  kind: 'view';
  url: string;
  /** The runs of each viewer. */
  watched: string[][];
}

/** What the viewers saw while they were measured. */
export interface Seen {
  frames: number;
  /** Steps that a viewer was not sent, since it had fallen behind. */
  missed: number;
  /** Milliseconds from the time of a step until a viewer had it. */
  delays: number[];
}

export async function startViewing({ url, watched }: ViewTask): Promise<Measuring<Seen>> {
  const viewers = await Promise.all(watched.map((runs) => Viewer.open(url, runs)));
  return {
    ready: { runs: [] },
    begin: () => {
      for (const viewer of viewers) viewer.begin();
      return () => ({
        frames: viewers.reduce((sum, { frames }) => sum + frames, 0),
        missed: viewers.reduce((sum, { missed }) => sum + missed, 0),
        delays: viewers.flatMap(({ delays }) => delays),
      });
    },
    end: async () => {
      for (const viewer of viewers) viewer.close();
    },
  };
}

class Viewer {
  frames = 0;
  missed = 0;
  delays: number[] = [];
  readonly #socket: Socket;
  /** The newest step of each run. */
  readonly #newest = new Map<string, number>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('steps', (frame: Uint8Array, acknowledge: () => void) => {
      acknowledge();
      this.#take(new Uint8Array(frame));
    });
  }

  static async open(url: string, runs: readonly string[]): Promise<Viewer> {
    const socket = io(`${url}/live`, { transports: ['websocket'], forceNew: true, reconnection: false });
    const viewer = new Viewer(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    for (const run of runs) await socket.emitWithAck('watch', { run });
    return viewer;
  }

  begin(): void {
    this.frames = 0;
    this.missed = 0;
    this.delays = [];
  }

  close(): void {
    this.#socket.disconnect();
  }

  #take(frame: Uint8Array): void {
    const { run, steps } = decodeSteps(frame);
    const now = Date.now();
    this.frames += 1;
    for (const { step, time } of steps) {
      const newest = this.#newest.get(run);
      if (newest !== undefined && step > newest + 1) this.missed += step - newest - 1;
      this.#newest.set(run, step);
      this.delays.push(now - time);
    }
  }
}
