import { expect, it } from 'vitest';
import { readRange, readScale, writeRange, writeScale } from './view-params.ts';

const range = (query: string) => readRange(new URLSearchParams(query));

it.each([
  ['', {}],
  ['from=10&to=20', { from: 10, to: 20 }],
  ['from=0', { from: 0 }],
  ['to=5', { to: 5 }],
  ['from=20&to=10', {}],
  ['from=-1&to=1e3', {}],
  ['from=99999999999999999999', {}],
])('reads %j', (query, expected) => {
  expect(range(query)).toEqual(expected);
});

it('writes a range that reads back, and removes open ends', () => {
  expect(writeRange({ from: 3 })).toEqual({ from: '3', to: null });
  expect(range(`from=${writeRange({ from: 3, to: 9 }).from}&to=9`)).toEqual({ from: 3, to: 9 });
});

it('reads and writes the scale of each metric', () => {
  expect(readScale('loss', new URLSearchParams())).toBeNull();
  const { scale } = writeScale('loss', 'log', new URLSearchParams('scale=nonsense,gradVar-linear,loss-linear'));
  expect(scale).toBe('gradVar-linear,loss-log');
  expect(readScale('loss', new URLSearchParams({ scale }))).toBe('log');
  expect(readScale('gradVar', new URLSearchParams({ scale }))).toBe('linear');
  expect(readScale('gradNorm', new URLSearchParams({ scale }))).toBeNull();
});
