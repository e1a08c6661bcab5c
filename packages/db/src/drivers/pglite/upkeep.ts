import type { PgliteClient } from './client.ts';

const LOOK_EVERY_MS = 5_000;
const CHECKPOINT_EVERY_MS = 60_000;
const EVERY_BYTES = 64 * 1024 * 1024;
const VACUUM_EVERY_MS = 15 * 60_000;

/**
 * PGlite has no background processes, so its log would grow without end and its planner would never learn what the
 * tables hold. Checkpoints and `vacuum (analyze)` instead, after writes alone, on a timer that keeps no process alive.
 * @returns what stops it.
 */
export function keepUp(client: PgliteClient): () => void {
  const checkpoint = chore(client, 'checkpoint', CHECKPOINT_EVERY_MS);
  const vacuum = chore(client, 'vacuum (analyze)', VACUUM_EVERY_MS);
  const timer = setInterval(() => {
    void checkpoint();
    void vacuum();
  }, LOOK_EVERY_MS).unref();
  return () => clearInterval(timer);
}

/** Does one thing at most every so often, sooner after much was written, and never where nothing was. */
function chore(client: PgliteClient, sql: string, everyMs: number): () => Promise<void> {
  let last = { time: performance.now(), writes: client.writes, written: client.written };
  return async () => {
    const isDue = performance.now() - last.time >= everyMs && client.writes > last.writes;
    if (!isDue && client.written - last.written < EVERY_BYTES) return;
    last = { time: performance.now(), writes: client.writes, written: client.written };
    await client.query(sql).catch(() => {}); // the next query of a verb meets the same trouble, and reports it
  };
}
