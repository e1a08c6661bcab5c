import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * A port of this machine that nothing listens on, for a program that cannot be given port 0. It lies below the ports that
 * a system hands out by itself, so that no other process takes it while a server of the test is away.
 */
export async function freePort(): Promise<number> {
  const port = 10_000 + Math.floor(20_000 * Math.random());
  const probe = createServer().listen(port, '127.0.0.1');
  const isFree = await once(probe, 'listening').then(
    () => true,
    () => false,
  );
  if (!isFree) return freePort();
  await once(probe.close(), 'close');
  return port;
}
