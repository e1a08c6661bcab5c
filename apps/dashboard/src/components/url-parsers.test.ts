import { expect, test } from 'vitest';
import {
  parseAsIntegerWithin,
  parseAsNumberWithin,
  parseAsOrder,
  parseAsPresence,
  parseAsText,
} from './url-parsers.ts';

test('a number is read whole or not at all', () => {
  const { parse } = parseAsNumberWithin(0, 1);
  expect(['0', '0.25', '1e-3', '1'].map(parse)).toEqual([0, 0.25, 0.001, 1]);
  expect(['', ' ', '0.5abc', 'NaN', '-0.1', '1.01', 'Infinity'].map(parse)).toEqual(Array(7).fill(null));
});

test('so is a whole number', () => {
  const { parse } = parseAsIntegerWithin(-5, 20);
  expect(['-5', '0', '20'].map(parse)).toEqual([-5, 0, 20]);
  expect(['', '1.5', '1e1', '12abc', '--1', '-6', '21', '9'.repeat(99)].map(parse)).toEqual(Array(8).fill(null));
});

test('an order is a known column, in descending order after a minus sign', () => {
  const { parse, serialize } = parseAsOrder(['loss', 'risk']);
  expect(['loss', '-risk'].map(parse)).toEqual([
    { by: 'loss', descending: false },
    { by: 'risk', descending: true },
  ]);
  expect(['', '-', 'luck', '--loss', 'toString'].map(parse)).toEqual(Array(5).fill(null));
  expect(serialize({ by: 'loss', descending: true })).toBe('-loss');
  expect(serialize({ by: 'loss', descending: false })).toBe('loss');
});

test('empty text is absent, and an empty flag is not', () => {
  expect(['', 'a b'].map(parseAsText.parse)).toEqual([null, 'a b']);
  expect(['', '0'].map(parseAsPresence.parse)).toEqual([true, true]);
});
