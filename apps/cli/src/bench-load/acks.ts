import { setTimeout as sleep } from 'node:timers/promises';
import { type Percentiles, percentilesOf } from '../bench/percentiles.ts';
import { RawEmitter } from './emitter.ts';

const STEP_EVERY_MS = 50;
/** With one alone, the 99th percentile would be the worst of some hundred acks. */
const CALM_EMITTERS = 8;

/** Latencies of acknowledgements. */
export interface Acks extends Percentiles {
  /** Steps that were not acknowledged in the end: they count with the time that they had waited. */
  missing: number;
}

/** Calm emitters send a step every 50 ms each, one after the other, until `until` settles; waits `graceMs` for the last acks. */
export async function measureAcks(url: string, until: Promise<unknown>, graceMs: number): Promise<Acks> {
  const calm = Array.from({ length: CALM_EMITTERS }, () => new RawEmitter(url));
  using _connections = {
    [Symbol.dispose]: () => {
      for (const emitter of calm) emitter[Symbol.dispose]();
    },
  };
  await Promise.all(calm.map((emitter, at) => emitter.start(`calm ${at}`)));
  const waiting = new Map<number, number>(); // since when, by number
  const durations: number[] = [];
  let isOver = false;
  void until.finally(() => {
    isOver = true;
  });
  for (let number = 0; !isOver; number++) {
    const sent = performance.now();
    waiting.set(number, sent);
    calm[number % CALM_EMITTERS]?.send(1, () => {
      waiting.delete(number);
      durations.push(performance.now() - sent);
    });
    await sleep(STEP_EVERY_MS / CALM_EMITTERS);
  }
  for (const end = performance.now() + graceMs; waiting.size > 0 && performance.now() < end; )
    await sleep(STEP_EVERY_MS);
  const waited = Array.from(waiting.values(), (since) => performance.now() - since);
  return { ...percentilesOf([...durations, ...waited]), missing: waiting.size };
}
