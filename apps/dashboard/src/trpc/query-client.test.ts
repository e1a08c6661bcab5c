import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AppRouter } from '@evenkeel/api';
import { createTRPCClient, httpBatchStreamLink } from '@trpc/client';
import superjson from 'superjson';
import { expect, it, vi } from 'vitest';
import { createQueryClient, isSignedOut } from './query-client.ts';

it('asks once where the server says to sign in first, and tells', async () => {
  const answered = vi.fn();
  const http = createServer((_, response) => {
    answered();
    response.writeHead(401, { 'Content-Type': 'application/json' }).end('{"error":"Sign in first."}');
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  await using _ = { [Symbol.asyncDispose]: async () => void http.close() };
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const client = createTRPCClient<AppRouter>({ links: [httpBatchStreamLink({ url, transformer: superjson })] });

  const told = vi.fn();
  const queries = createQueryClient(told);
  await queries.prefetchQuery({
    queryKey: ['runs'],
    queryFn: () => client.run.list.query({}),
    retry: queries.getDefaultOptions().queries?.retry,
  });
  expect(answered).toHaveBeenCalledTimes(1);
  expect(told).toHaveBeenCalledTimes(1);
  expect(isSignedOut(told.mock.calls[0]?.[0])).toBe(true);
});

it('does not take another failure for it', () => {
  expect(isSignedOut(new Error('401'))).toBe(false);
});
