import { createSerializer } from 'nuqs/server';
import { expect, it } from 'vitest';
import {
  customNamesRequest,
  loadView,
  MAX_CUSTOM,
  runNamesRequest,
  scaleOf,
  stepRange,
  VIEW_PARAMS,
  withScale,
} from './view-params.ts';

const range = (query: string) => stepRange(loadView(query));
const write = createSerializer(VIEW_PARAMS);

it.each([
  ['', {}],
  ['from=10&to=20', { from: 10, to: 20 }],
  ['from=0', { from: 0 }],
  ['to=5', { to: 5 }],
  ['from=20&to=10', {}],
  ['from=-5&to=-1', { from: -5, to: -1 }],
  ['from=-1&to=-5', {}],
  ['from=--1&to=1e3', {}],
  ['from=12abc', {}],
  ['from=-99999999999999999999', {}],
  ['from=99999999999999999999', {}],
])('reads %j', (query, expected) => {
  expect(range(query)).toEqual(expected);
});

it('writes a range that reads back, and removes open ends', () => {
  expect(write('?from=1&to=2', { from: 3, to: null })).toBe('?from=3');
  expect(range(write({ from: 3, to: 9 }))).toEqual({ from: 3, to: 9 });
});

it('reads and writes the scale of each metric', () => {
  expect(scaleOf(loadView('').scale, 'loss')).toBeNull();
  const scale = withScale(loadView('scale=nonsense,gradVar-linear,loss-linear').scale, 'loss', 'log');
  expect(write({ scale })).toBe('?scale=gradVar-linear,loss-log');
  const read = loadView(write({ scale })).scale;
  expect(['loss', 'gradVar', 'gradNorm'].map((key) => scaleOf(read, key))).toEqual(['log', 'linear', null]);
});

it('reads scales from addresses that an earlier version has written', () => {
  const { scale } = loadView('scale=custom%253Aa%252Cb-log%2Closs-linear');
  expect(['custom:a,b', 'loss'].map((key) => scaleOf(scale, key))).toEqual(['log', 'linear']);
});

it('the scale of one scalar leaves alone that of another whose name begins alike', () => {
  const { scale } = loadView({ scale: 'custom%3Aeval-loss-log' });
  expect([...withScale(scale, 'custom:eval', 'linear')]).toEqual([
    ['custom%3Aeval-loss', 'log'],
    ['custom%3Aeval', 'linear'],
  ]);
});

it('a custom scalar keeps its scale, whatever its name', () => {
  const key = 'custom:a,b-log/ü';
  const { scale } = loadView(write({ scale: withScale(loadView('scale=loss-log').scale, key, 'linear') }));
  expect([key, 'loss', 'custom:a'].map((each) => scaleOf(scale, each))).toEqual(['linear', 'log', null]);
});

it('the x axis and the smoothing are in the address where they are not as usual', () => {
  expect([write({ x: 'step' }), write({ x: 'tokens' })]).toEqual(['', '?x=tokens']);
  expect(['', 'x=time', 'x=weeks'].map((query) => loadView(query).x)).toEqual(['step', 'time', 'step']);
  expect([write({ smooth: null }), write({ smooth: 100 })]).toEqual(['', '?smooth=100']);
  const smoothing = ['', 'smooth=100', 'smooth=100x', 'smooth=7'].map((query) => loadView(query).smooth);
  expect(smoothing).toEqual([null, 100, null, null]);
});

it('custom scalars are shown in bounded numbers, and searched in words as long as their names', () => {
  const counts = ['', 'custom=24', 'custom=999', 'custom=-1'].map((query) => loadView(query).custom);
  expect(counts).toEqual([null, 24, MAX_CUSTOM, null]);
  const searched = (scalar: string) => customNamesRequest('id', loadView({ scalar }).scalar, 12).search;
  expect(['', 'loss', 'x'.repeat(501)].map(searched)).toEqual([undefined, 'loss', 'x'.repeat(500)]);
});

it('system metrics are left out only where a run’s page shows them apart, and found by a search', () => {
  expect(customNamesRequest('id', null, 12)).not.toHaveProperty('notPrefix');
  expect(runNamesRequest('id', null, 12)).toMatchObject({ notPrefix: 'system/' });
  expect(runNamesRequest('id', 'gpu', 12)).not.toHaveProperty('notPrefix');
});
