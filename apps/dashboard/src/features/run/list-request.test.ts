import { expect, it } from 'vitest';
import { readListRequest } from './list-request.ts';

const read = (query: string) => readListRequest(new URLSearchParams(query));

it('asks for everything where the address says nothing', () => {
  expect(read('')).toEqual({ limit: 200 });
  expect(read('q=+&status=')).toEqual({ limit: 200 });
});

it('reads search and status, and leaves out a status that does not exist', () => {
  expect(read('q=%20gpt%20&status=running')).toEqual({ search: 'gpt', status: 'running', limit: 200 });
  expect(read('status=exploded')).toEqual({ limit: 200 });
});

it('keeps a search within what the server takes', () => {
  expect(read(`q=${'x'.repeat(500)}`).search).toHaveLength(200);
});
