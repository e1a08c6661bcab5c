import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { Admission } from './admission.ts';

const LIMITS = { answered: 1, answeredOfOne: 1, waiting: 8, waitingOfOne: 8 };
const LONG = 3_600_000;

/** A server that answers what was admitted, and refuses the rest. */
async function serve(timeouts: object, answer: (response: ServerResponse) => Promise<void> | void) {
  const admission = new Admission(LIMITS, { stillMs: LONG, answerMs: LONG, waitMs: null, ...timeouts });
  const http = createServer(async (_, response) => {
    const refusal = await admission.enter('viewer', response);
    if (refusal) response.writeHead(refusal.status).end(refusal.error);
    else await answer(response);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  const { port } = http.address() as AddressInfo;
  return async () => {
    const [answered] = (await once(get({ port, agent: false }), 'response')) as [IncomingMessage];
    return answered;
  };
}

test('an answer that finds nothing to say for long is not cut off while its reader waits', async () => {
  const ask = await serve({ stillMs: 20 }, async (response) => {
    response.write('first ');
    await once(response, 'timeout');
    response.end('last');
  });
  expect(await text(await ask())).toBe('first last');
});

test('an answer that nobody reads is cut off', async () => {
  const unread: ServerResponse[] = [];
  const ask = await serve({ stillMs: 20 }, (response) => {
    unread.push(response);
    response.write(Buffer.alloc(64 * 1024 * 1024));
  });
  await ask();
  await expect.poll(() => unread[0]?.destroyed, { timeout: 30_000 }).toBe(true);
});

test('a request that has waited for long is refused, and a later one takes the place that becomes free', async () => {
  const held: ServerResponse[] = [];
  const ask = await serve({ waitMs: 20 }, (response) => {
    held.push(response);
    response.write('here ');
  });
  const first = await ask();
  const second = await ask();
  expect([first.statusCode, second.statusCode]).toEqual([200, 503]);
  expect(await text(second)).toMatch(/retry in a moment/);
  held[0]?.end();
  expect(await text(first)).toBe('here ');
  await expect.poll(async () => (await ask()).statusCode).toBe(200);
});
