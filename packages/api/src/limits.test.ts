import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startRun } from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import { ANONYMOUS, parse, runStart } from '@evenkeel/protocol';
import { createTRPCClient, httpLink } from '@trpc/client';
import { createHTTPHandler } from '@trpc/server/adapters/standalone';
import superjson from 'superjson';
import { expect, onTestFinished, test } from 'vitest';
import { type AppRouter, appRouter } from './router.ts';

const NOW = new Date('2026-01-02T03:04:05Z');
const MIB = 1024 ** 2;

/** A server over a database with two runs, and a client of it; `answered` is what a request begins with. */
async function serveRuns(answered = { bytes: 0 }) {
  const db = await openTestDatabase();
  for (const [at, name] of ['old', 'young'].entries()) {
    const run = `01890a5d-ac96-774b-bcce-b302099a805${at}`;
    await startRun(db, parse(runStart, { run, attempt: 1, project: 'p', name, startedAt: 1_000 * at }), NOW);
  }
  const context = {
    db,
    now: () => NOW,
    command: () => Promise.reject(new Error('no trainer is here')),
    principal: ANONYMOUS,
    events: { publish: () => {} },
  };
  const errors: string[] = [];
  let [asked, abandoned] = [0, 0];
  const http = createServer(
    createHTTPHandler({
      router: appRouter,
      createContext: () => ({ ...context, answered: { ...answered } }),
      onError: ({ error }) => errors.push(error.code),
    }),
  );
  http.on('request', (_, response) => {
    asked += 1;
    response.once('close', () => {
      if (!response.writableEnded) abandoned += 1;
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  onTestFinished(async () => {
    http.closeAllConnections();
    http.close();
    await db.close();
  });
  const client = createTRPCClient<AppRouter>({ links: [httpLink({ url, transformer: superjson })] });
  return { db, client, errors, asked: () => asked, abandoned: () => abandoned };
}

test('no list is longer than may be read at once; the rest is read by cursor', async () => {
  const { client } = await serveRuns();
  await expect(client.run.list.query({ limit: 10_000 })).rejects.toThrow(/^limit: .*200/);
  await expect(client.alert.list.query({ limit: 1_000 })).rejects.toThrow(/^limit: .*200/);
  const run = '01890a5d-ac96-774b-bcce-b302099a8050';
  await expect(client.run.commands.query({ run, limit: 1_000 })).rejects.toThrow(/^limit: .*200/);
  const first = await client.run.list.query({ limit: 1 });
  expect(first.runs.map(({ name }) => name)).toEqual(['young']);
  const second = await client.run.list.query({ limit: 1, cursor: first.nextCursor ?? '' });
  expect(second.runs.map(({ name }) => name)).toEqual(['old']);
  expect(second.nextCursor).toBeNull();
  await expect(client.run.list.query({ cursor: 'x' })).rejects.toThrow(/^cursor: is not one of this list/);
});

test('the answers to one request are no larger together than 16 MiB', async () => {
  const { client } = await serveRuns({ bytes: 16 * MIB - 1_000 });
  await expect(client.run.tags.query()).resolves.toEqual([]);
  await expect(client.run.list.query({})).rejects.toMatchObject({
    message: expect.stringContaining('the answer would be larger than 16 MiB: ask for fewer rows'),
    data: { code: 'PAYLOAD_TOO_LARGE', httpStatus: 413 },
  });
});

test('a read that waits for its turn is not begun once its client has gone', async () => {
  const { db, client, errors, asked, abandoned } = await serveRuns();
  let free = () => {};
  const freed = new Promise<void>((resolve) => {
    free = resolve;
  });
  const held = db.sql.transaction(() => freed);
  const running = Array.from({ length: 4 }, () => client.run.count.query({}));
  const gone = new AbortController();
  const waiting = client.run.list.query({}, { signal: gone.signal }).catch(() => 'aborted');
  const afterIt = client.run.count.query({});
  await expect.poll(() => asked()).toBe(6);
  gone.abort();
  expect(await waiting).toBe('aborted');
  await expect.poll(() => abandoned()).toBe(1); // else its turn may come before the server receives it
  free();
  await held;
  expect(await Promise.all([...running, afterIt])).toEqual([2, 2, 2, 2, 2]);
  await expect.poll(() => errors).toEqual(['CLIENT_CLOSED_REQUEST']);
});
