import { describe, expect, it } from 'vitest';
import { columnAfter, rangeAfter } from './keyboard.ts';

it.each([
  ['ArrowRight', 5, 6],
  ['ArrowUp', 5, 6],
  ['ArrowLeft', 5, 4],
  ['ArrowDown', 5, 4],
  ['ArrowLeft', 0, 0],
  ['PageUp', 5, 25],
  ['PageUp', 90, 99],
  ['PageDown', 5, 0],
  ['Home', 50, 0],
  ['End', 50, 99],
  ['a', 50, null],
])('%s from column %i of 100 leads to %s', (key, at, column) => {
  expect(columnAfter(key, at, 100)).toBe(column);
});

it('leads nowhere in an empty chart', () => {
  expect(columnAfter('End', -1, 0)).toBeNull();
});

describe('rangeAfter', () => {
  const run = [0, 1000] as const;
  it('halves and doubles around the crosshair', () => {
    expect(rangeAfter('+', { view: [0, 1000], run, center: 400 })).toEqual({ from: 150, to: 650 });
    expect(rangeAfter('-', { view: [400, 500], run, center: 450 })).toEqual({ from: 350, to: 550 });
  });
  it('stays within the run, and follows it where its newest step is in view', () => {
    expect(rangeAfter('+', { view: [0, 1000], run, center: 1000 })).toEqual({ from: 500 });
    expect(rangeAfter('-', { view: [900, 1000], run, center: 1000 })).toEqual({ from: 800 });
    expect(rangeAfter('-', { view: [0, 100], run, center: 10 })).toEqual({ from: 0, to: 200 });
  });
  it('follows the whole run again once all of it is in view', () => {
    expect(rangeAfter('-', { view: [0, 1000], run, center: 1000 })).toBeNull();
    expect(rangeAfter('-', { view: [300, 900], run, center: 500 })).toBeNull();
    expect(rangeAfter('0', { view: [300, 900], run, center: 500 })).toBeNull();
  });
  it('leaves other keys alone', () => {
    expect(rangeAfter('z', { view: [0, 1000], run, center: 0 })).toBeUndefined();
  });
});
