import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { startRun } from '@evenkeel/emit';
import { type Load, stepsOf } from './load.ts';
import type { Measuring } from './part.ts';

export interface EmitTask extends Load {
  kind: 'emit';
  url: string;
  /** The source tree whose built client emits. */
  tree: string;
}

/** What the emitters of one process did while they were measured. */
export interface Emitted {
  acknowledged: number;
  /** Steps that were logged and not acknowledged, at the beginning and at the end. */
  pendingBefore: number;
  pendingAfter: number;
  /** Milliseconds from logging to the acknowledgement: one of each group of steps that was logged at once. */
  acks: number[];
  cpuMs: number;
  /** What the client warned of. */
  warnings: string[];
}

type Run = Awaited<ReturnType<typeof startRun>>;

/** Starts the emitters; they send until they are ended. */
export async function startEmitting(task: EmitTask): Promise<Measuring<Emitted>> {
  const client: { startRun: typeof startRun } = await import(
    pathToFileURL(join(task.tree, 'packages/emit/dist/index.mjs')).href
  );
  const warnings: string[] = [];
  const runs = await Promise.all(
    Array.from({ length: task.emitters }, (_, at) =>
      client.startRun({
        server: task.url,
        project: 'bench',
        name: `emitter ${at}`,
        onWarning: (words) => warnings.push(words),
      }),
    ),
  );
  const emitters = runs.map((run) => new Emitter(run, task));
  const ending = new AbortController();
  const ended = once(ending.signal, 'abort'); // one listener for all of them
  const stopped = emitters.map((emitter, at) => emitter.send(ending.signal, ended, at / emitters.length));
  return {
    ready: { runs: runs.map(({ id }) => id) },
    begin: () => measure(emitters, warnings),
    end: async () => {
      ending.abort();
      await Promise.all(stopped);
      await Promise.all(runs.map((run) => run.finish()));
    },
  };
}

/** @returns what ends the measurement. */
function measure(emitters: readonly Emitter[], warnings: readonly string[]): () => Emitted {
  const sum = (read: (emitter: Emitter) => number) => emitters.reduce((total, emitter) => total + read(emitter), 0);
  const before = { acknowledged: sum((emitter) => emitter.acknowledged), cpu: process.cpuUsage() };
  const pendingBefore = sum((emitter) => emitter.pending);
  for (const { acks } of emitters) acks.length = 0;
  return () => {
    const { user, system } = process.cpuUsage(before.cpu);
    return {
      acknowledged: sum((emitter) => emitter.acknowledged) - before.acknowledged,
      pendingBefore,
      pendingAfter: sum((emitter) => emitter.pending),
      acks: emitters.flatMap(({ acks }) => acks),
      cpuMs: (user + system) / 1_000,
      warnings: [...new Set(warnings)],
    };
  };
}

class Emitter {
  /** Latencies of acknowledgements, in milliseconds. */
  readonly acks: number[] = [];
  readonly #run: Run;
  readonly #task: EmitTask;
  readonly #step: (step: number) => object & { step: number };
  #logged = 0;
  /** How much was logged by when, of what is not acknowledged. */
  #waiting: { logged: number; at: number }[] = [];

  constructor(run: Run, task: EmitTask) {
    this.#run = run;
    this.#task = task;
    this.#step = stepsOf(task);
  }

  get pending(): number {
    return this.#run.pending;
  }

  get acknowledged(): number {
    return this.#logged - this.#run.pending;
  }

  /** @param share of the time between two steps, before the first: emitters of a real cluster do not step as one. */
  async send(signal: AbortSignal, ended: Promise<unknown>, share: number): Promise<void> {
    const { rate, batch } = this.#task;
    if (rate > 0) return this.#sendByClock(signal, (1_000 * batch) / rate, share);
    this.#log();
    while (!signal.aborted) {
      this.#log(); // one group is on its way while the next waits: nothing piles up, and the server never waits
      await Promise.race([this.#run.drained(batch), ended]);
    }
  }

  async #sendByClock(signal: AbortSignal, everyMs: number, share: number): Promise<void> {
    let next = performance.now() + share * everyMs;
    while (!signal.aborted) {
      await sleep(Math.max(0, next - performance.now()));
      this.#log();
      next += everyMs;
    }
  }

  #log(): void {
    for (let at = 0; at < this.#task.batch; at++) this.#run.log(this.#step(this.#logged++));
    this.#waiting.push({ logged: this.#logged, at: performance.now() });
    this.#awaitOldest();
  }

  /** The client reports how many steps are pending: the oldest group is acknowledged once no more than the later ones are. */
  #awaitOldest(): void {
    const [oldest] = this.#waiting;
    if (oldest) void this.#run.drained(this.#logged - oldest.logged).then(() => this.#settle());
  }

  #settle(): void {
    const acknowledged = this.acknowledged;
    const now = performance.now();
    const count = this.#waiting.findIndex(({ logged }) => logged > acknowledged);
    const settled = this.#waiting.splice(0, count < 0 ? this.#waiting.length : count);
    for (const { at } of settled) this.acks.push(now - at);
    if (settled.length > 0) this.#awaitOldest();
  }
}
