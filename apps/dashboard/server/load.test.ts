import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import type { HealthReport } from '@evenkeel/ingest';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Assets } from './assets.ts';
import { ClientAddresses } from './client-address.ts';
import { httpListener } from './http.ts';
import { OriginGuard } from './origin-guard.ts';
import { Sessions } from './session.ts';

const TOKEN = 'correct-horse-battery';
/** A path whose answer ends when the test says so. */
const HELD = '/held';
/** A path whose page fails. */
const BROKEN = '/broken';

const HEALTHY: HealthReport = {
  status: 'ok',
  reasons: [],
  ingest: {
    unacknowledgedBatches: 0,
    unacknowledgedBytes: 0,
    oldestUnacknowledgedMs: null,
    commitInFlightMs: null,
    lastCommit: null,
  },
};

interface Held {
  path: string | undefined;
  response: ServerResponse;
}

/** The whole of HTTP over an empty database; pages are as the test answers them. */
async function serve() {
  const db = await openTestDatabase();
  let clock = Date.now();
  const held: Held[] = [];
  const log: string[] = [];
  const http = createServer(
    httpListener({
      originGuard: new OriginGuard([]),
      sessions: new Sessions(TOKEN, () => new Date(++clock), new ClientAddresses([])),
      api: (principal) => ({
        db,
        now: () => new Date(),
        principal,
        events: { publish: () => {} },
        command: () => Promise.reject(new Error('no trainer is here')),
      }),
      log: (level, message, error) => log.push(`${level} ${message}: ${error}`),
      health: { version: '0', database: db.kind, live: () => HEALTHY, ready: async () => HEALTHY },
      pages: async ({ url }, response) => {
        if (url === BROKEN) throw new Error('no such module');
        held.push({ path: url, response });
      },
      assets: new Assets(new Map()),
      doors: [],
    }),
  );
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  onTestFinished(async () => {
    http.closeAllConnections();
    http.close();
    await db.close();
  });
  const signIn = async () => {
    const answer = await fetch(`${url}/api/session`, { method: 'POST', body: JSON.stringify({ token: TOKEN }) });
    return answer.headers.get('set-cookie')?.split(';')[0] ?? '';
  };
  /** Sends a request, and resolves with its answer. */
  const get = (cookie: string, path: string) => send(`${url}${path}`, cookie).answer;
  return { http, url, held, log, signIn, get };
}

function send(url: string, cookie: string) {
  const sent = request(url, { headers: { cookie }, agent: false });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', (response) => resolve(response.resume()));
    sent.once('error', reject);
  });
  answer.catch(() => {}); // those that are still held when the test ends
  sent.end();
  return { sent, answer };
}

const batchOf = (calls: number, input: object) => {
  const inputs = Object.fromEntries(Array.from({ length: calls }, (_, at) => [at, { json: input }]));
  const paths = new Array(calls).fill('run.list');
  return [paths, `?batch=1&input=${encodeURIComponent(JSON.stringify(inputs))}`] as const;
};

test('one batch of ten lists of 10,000 runs is refused, and so is one of more calls than ten', async () => {
  const { url, signIn } = await serve();
  const headers = { cookie: await signIn() };
  const read = async ([paths, input]: ReturnType<typeof batchOf>, comma = ',') => {
    const answer = await fetch(`${url}/api/trpc/${paths.join(comma)}${input}`, { headers });
    return { status: answer.status, body: await answer.text() };
  };
  expect(await read(batchOf(10, { limit: 200 }))).toMatchObject({ status: 200 });
  const tooLong = await read(batchOf(10, { limit: 10_000 }));
  expect(tooLong).toMatchObject({ status: 400, body: expect.stringContaining('limit: ') });
  for (const comma of [',', '%2C', '%2c']) {
    const tooMany = await read(batchOf(11, { limit: 1 }), comma);
    expect(tooMany).toMatchObject({ status: 400, body: expect.stringContaining('holds 11 calls; the maximum is 10') });
  }
});

test('a viewer who asks for more than may wait is refused with 429, and another viewer is not', async () => {
  const { held, signIn, get } = await serve();
  const [greedy, calm] = [await signIn(), await signIn()];
  for (let at = 0; at < 4 + 64; at++) void get(greedy, HELD);
  await expect.poll(() => held).toHaveLength(4);
  for (const path of [HELD, '/api/trpc/run.tags']) {
    const refused = await vi.waitFor(async () => {
      const answer = await get(greedy, path);
      expect(answer.statusCode).toBe(429);
      return answer;
    }, 60_000);
    expect(refused.headers['retry-after']).toBe('2');
  }
  expect((await get(calm, '/api/trpc/run.tags')).statusCode).toBe(200);
  held[0]?.response.end();
  await expect.poll(() => held).toHaveLength(5);
});

test('viewers whose requests wait take turns', async () => {
  const { http, held, signIn, get } = await serve();
  const viewers = [await signIn(), await signIn(), await signIn()];
  for (const [at, viewer] of viewers.slice(0, 2).entries()) {
    for (let number = 0; number < 8; number++) void get(viewer, `${HELD}/${at}`);
  }
  await expect.poll(() => held).toHaveLength(8);
  const cameIn = new Promise<void>((resolve) => http.on('request', ({ url }) => url === '/last' && resolve()));
  void get(viewers[2] ?? '', '/last');
  await cameIn;
  for (const { response } of held.slice(0, 4)) response.end();
  await expect.poll(() => held).toHaveLength(12);
  expect(held.slice(8).map(({ path }) => path)).toContain('/last');
});

test('once all viewers together ask for more than can be answered, they are refused with 503', async () => {
  const { held, signIn, get } = await serve();
  const answers: (number | undefined)[] = [];
  for (let viewer = 0; viewer < 5; viewer++) {
    const cookie = await signIn();
    for (let at = 0; at < 60; at++)
      void get(cookie, HELD).then(
        ({ statusCode }) => answers.push(statusCode),
        () => {},
      );
  }
  await expect.poll(() => answers).toHaveLength(5 * 60 - 8 - 256);
  expect(new Set(answers)).toEqual(new Set([503]));
  expect(held).toHaveLength(8);
});

test('answers that nobody reads hold up nobody but those who asked for them', async () => {
  const { url, held, signIn, get } = await serve();
  for (const cookie of [await signIn(), await signIn()]) {
    for (let at = 0; at < 4; at++) {
      const unread = request(`${url}${HELD}`, { headers: { cookie }, agent: false });
      unread.on('error', () => {}); // cut when the test ends
      unread.end();
    }
  }
  await expect.poll(() => held).toHaveLength(8);
  for (const { response } of held) response.end(Buffer.alloc(8 * 1024 * 1024));
  expect((await get(await signIn(), '/api/trpc/run.tags')).statusCode).toBe(200);
});

test('what is sent to sign in is bounded: nobody has signed in yet', async () => {
  const { url } = await serve();
  const body = JSON.stringify({ token: 'x'.repeat(5_000) });
  expect((await fetch(`${url}/api/session`, { method: 'POST', body })).status).toBe(400);
  const chunks = new Blob(['{"token":"', 'x'.repeat(5_000), '"}']).stream();
  const streamed = { method: 'POST', body: chunks, duplex: 'half' } as RequestInit;
  expect((await fetch(`${url}/api/session`, streamed)).status).toBe(400);
});

test('what waits for its turn is not begun once its client has gone', async () => {
  const { http, url, held, signIn, get } = await serve();
  const cookie = await signIn();
  for (let at = 0; at < 4; at++) void get(cookie, HELD);
  await expect.poll(() => held).toHaveLength(4);
  const cameIn = once(http, 'request') as Promise<[IncomingMessage, ServerResponse]>;
  const { sent } = send(`${url}/gone`, cookie);
  const [, response] = await cameIn;
  sent.destroy();
  await once(response, 'close');
  void get(cookie, '/after');
  held[0]?.response.end();
  await expect.poll(() => held).toHaveLength(5);
  expect(held[4]?.path).toBe('/after');
});

test('a page that fails is answered by 500 and logged, and the next is answered as ever', async () => {
  const { held, log, signIn, get } = await serve();
  const cookie = await signIn();
  for (let at = 0; at < 9; at++) expect((await get(cookie, BROKEN)).statusCode).toBe(500);
  expect(new Set(log)).toEqual(new Set([`error GET ${BROKEN} failed: Error: no such module`]));
  void get(cookie, HELD);
  await expect.poll(() => held).toHaveLength(1);
});

test('no global object is replaced: Next.js has them too', async () => {
  const { Request, Response } = globalThis;
  const { get } = await serve();
  expect((await get('', '/healthz')).statusCode).toBe(200);
  expect([globalThis.Request, globalThis.Response]).toEqual([Request, Response]);
});
