import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AppRouter } from '@evenkeel/api';
import { QueryObserver } from '@tanstack/react-query';
import { createTRPCClient, httpBatchStreamLink, httpLink } from '@trpc/client';
import superjson from 'superjson';
import { expect, it, vi } from 'vitest';
import { createQueryClient, isSignedOut, readAgain } from './query-client.ts';

it('asks once where the server says to sign in first, and reports it', async () => {
  const answered = vi.fn();
  const http = createServer((_, response) => {
    answered();
    response.writeHead(401, { 'Content-Type': 'application/json' }).end('{"error":"Sign in first."}');
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  await using _ = { [Symbol.asyncDispose]: async () => void http.close() };
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const client = createTRPCClient<AppRouter>({ links: [httpBatchStreamLink({ url, transformer: superjson })] });

  const notified = vi.fn();
  const queries = createQueryClient(notified);
  await queries.prefetchQuery({
    queryKey: ['runs'],
    queryFn: () => client.run.list.query({}),
    retry: queries.getDefaultOptions().queries?.retry,
  });
  expect(answered).toHaveBeenCalledTimes(1);
  expect(notified).toHaveBeenCalledTimes(1);
  expect(isSignedOut(notified.mock.calls[0]?.[0])).toBe(true);
});

it('asks a busy server again, and shows what it says where it stays busy', async () => {
  let busy = 2;
  const answered = vi.fn();
  const http = createServer((_, response) => {
    answered();
    const error = { json: { message: 'try again in a moment', code: -32_000, data: { httpStatus: 429 } } };
    if (busy-- > 0) response.writeHead(429, { 'Retry-After': '0' }).end(JSON.stringify({ error }));
    else response.end('{"result":{"data":{"json":["base"]}}}');
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  await using _ = { [Symbol.asyncDispose]: async () => void http.close() };
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const client = createTRPCClient<AppRouter>({ links: [httpLink({ url, transformer: superjson })] });
  const queries = createQueryClient();
  const { retry, retryDelay } = queries.getDefaultOptions().queries ?? {};
  const read = () =>
    queries.fetchQuery({ queryKey: ['tags'], queryFn: () => client.run.tags.query(), retry, retryDelay });
  expect(await read()).toEqual(['base']);
  expect(answered).toHaveBeenCalledTimes(3);
  busy = Number.POSITIVE_INFINITY;
  await queries.invalidateQueries();
  await expect(read()).rejects.toThrow('try again in a moment');
  expect(answered).toHaveBeenCalledTimes(3 + 7);
});

it('does not take another failure for it', () => {
  expect(isSignedOut(new Error('401'))).toBe(false);
});

it('what is read for the first time while something changes is read again', async () => {
  const queries = createQueryClient();
  const answers: ((steps: number) => void)[] = [];
  const queryFn = () => new Promise<number>((resolve) => answers.push(resolve));
  const observer = new QueryObserver(queries, { queryKey: ['steps'], queryFn });
  const notified = vi.fn();
  const stop = observer.subscribe(({ data }) => notified(data));
  const again = readAgain(queries, { queryKey: ['steps'] });
  await expect.poll(() => answers).toHaveLength(2);
  answers[0]?.(30);
  answers[1]?.(40);
  await again;
  expect(observer.getCurrentResult().data).toBe(40);
  expect(notified).not.toHaveBeenCalledWith(30);
  stop();
});
