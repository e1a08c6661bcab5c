import { expect, it } from 'vitest';
import {
  customNamesRequest,
  MOST_CUSTOM,
  readCustom,
  readRange,
  readScale,
  readSmoothing,
  readUnit,
  writeRange,
  writeScale,
  writeSmoothing,
  writeUnit,
} from './view-params.ts';

const range = (query: string) => readRange(new URLSearchParams(query));

it.each([
  ['', {}],
  ['from=10&to=20', { from: 10, to: 20 }],
  ['from=0', { from: 0 }],
  ['to=5', { to: 5 }],
  ['from=20&to=10', {}],
  ['from=-5&to=-1', { from: -5, to: -1 }],
  ['from=-1&to=-5', {}],
  ['from=--1&to=1e3', {}],
  ['from=-99999999999999999999', {}],
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

it('the scale of one scalar leaves alone that of another whose name begins alike', () => {
  const params = new URLSearchParams({ scale: 'custom%3Aeval-loss-log' });
  expect(writeScale('custom:eval', 'linear', params).scale).toBe('custom%3Aeval-loss-log,custom%3Aeval-linear');
});

it('a custom scalar keeps its scale, whatever its name', () => {
  const key = 'custom:a,b-log/ü';
  const { scale } = writeScale(key, 'linear', new URLSearchParams('scale=loss-log'));
  const params = new URLSearchParams({ scale });
  expect([readScale(key, params), readScale('loss', params), readScale('custom:a', params)]).toEqual([
    'linear',
    'log',
    null,
  ]);
});

it('the x axis and the smoothing stand in the address where they are not as usual', () => {
  expect([writeUnit('step').x, writeUnit('tokens').x]).toEqual([null, 'tokens']);
  expect(['', 'x=time', 'x=weeks'].map((query) => readUnit(new URLSearchParams(query)))).toEqual([
    'step',
    'time',
    'step',
  ]);
  expect([writeSmoothing(null).smooth, writeSmoothing(100).smooth]).toEqual([null, '100']);
  const smoothing = ['', 'smooth=100', 'smooth=7', 'smooth=x'].map((query) =>
    readSmoothing(new URLSearchParams(query)),
  );
  expect(smoothing).toEqual([null, 100, null, null]);
});

it('custom scalars are shown in bounded numbers, and searched in words as long as their names', () => {
  const counts = ['', 'custom=24', 'custom=999', 'custom=-1'].map((query) =>
    readCustom(new URLSearchParams(query), 12),
  );
  expect(counts).toEqual([12, 24, MOST_CUSTOM, 12]);
  const searched = (scalar: string) => customNamesRequest('id', new URLSearchParams({ scalar }), 12).search;
  expect(['', 'loss', 'x'.repeat(501)].map(searched)).toEqual([undefined, 'loss', 'x'.repeat(500)]);
});
