import { setTimeout as sleep } from 'node:timers/promises';
import { type Percentiles, percentilesOf } from '../bench/percentiles.ts';
import { RawEmitter } from './emitter.ts';

const STEP_EVERY_MS = 50;

/** How long acknowledgements took. */
export interface Acks extends Percentiles {
  /** Steps that were not acknowledged in the end: they count with the time that they had waited. */
  missing: number;
}

/** Sends a step every 50 ms, as one calm emitter among others, until `until` settles; waits `graceMs` for the last acks. */
export async function measureAcks(url: string, until: Promise<unknown>, graceMs: number): Promise<Acks> {
  using emitter = new RawEmitter(url);
  await emitter.start('calm');
  const waiting = new Map<number, number>(); // since when, by number
  const took: number[] = [];
  let isOver = false;
  void until.finally(() => {
    isOver = true;
  });
  for (let number = 0; !isOver; number++) {
    const sent = performance.now();
    waiting.set(number, sent);
    emitter.send(1, () => {
      waiting.delete(number);
      took.push(performance.now() - sent);
    });
    await sleep(STEP_EVERY_MS);
  }
  for (const end = performance.now() + graceMs; waiting.size > 0 && performance.now() < end; )
    await sleep(STEP_EVERY_MS);
  const waited = Array.from(waiting.values(), (since) => performance.now() - since);
  return { ...percentilesOf([...took, ...waited]), missing: waiting.size };
}
