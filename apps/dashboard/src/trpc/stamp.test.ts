import { dehydrate, hydrate, QueryClient } from '@tanstack/react-query';
import { expect, it } from 'vitest';
import { stampHere } from './stamp.ts';

const KEY = ['runs'];

function readOnServer(at: number) {
  const server = new QueryClient();
  server.setQueryData(KEY, 'from the server', { updatedAt: at });
  return dehydrate(server);
}

it('dates what a server with another clock has read by the clock of this machine', () => {
  const browser = new QueryClient();
  hydrate(browser, stampHere(readOnServer(9_000_000), 1_000));
  expect(browser.getQueryState(KEY)).toMatchObject({ data: 'from the server', dataUpdatedAt: 1_000 });
});

it('does not make old data new when the same page is shown again', () => {
  const state = readOnServer(500);
  const browser = new QueryClient();
  hydrate(browser, stampHere(state, 1_000));
  browser.setQueryData(KEY, 'read since', { updatedAt: 2_000 });
  hydrate(browser, stampHere(state, 3_000));
  expect(browser.getQueryData(KEY)).toBe('read since');
});

it('leaves what the server still reads without a date', () => {
  const server = new QueryClient();
  void server.prefetchQuery({ queryKey: KEY, queryFn: () => new Promise(() => {}) });
  const state = dehydrate(server, { shouldDehydrateQuery: () => true });
  expect(stampHere(state, 1_000).queries[0]?.state.dataUpdatedAt).toBe(0);
});
