import { describe, expect, it } from 'vitest';
import { formatCount, formatDuration, formatExact, formatInstant, formatNumber, formatSpan } from './format.ts';

describe('formatNumber', () => {
  it.each([
    [2.34567, '2.35'],
    [12_345, '12.3k'],
    [999_999, '1.00M'],
    [-0.04567, '-0.0457'],
    [0.0000456, '4.56e-5'],
    [2.5e20, '2.50e20'],
    [120, '120'],
    [0, '0'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, '∞'],
    [Number.NEGATIVE_INFINITY, '−∞'],
    [null, '–'],
  ])('%s is %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it('keeps the digits before the point when fewer are asked for', () => {
    expect(formatNumber(123, 1)).toBe('100');
  });
});

it.each([
  [0, '0'],
  [30_000, '30 s'],
  [90_000, '1 min 30 s'],
  [3_600_000, '1 h'],
  [94_500_000, '1 d 2 h 15 min'],
])('formatSpan writes %i ms as %s', (milliseconds, text) => {
  expect(formatSpan(milliseconds)).toBe(text);
});

it('formatExact keeps every digit', () => {
  expect(formatExact(0.1 + 0.2)).toBe('0.30000000000000004');
});

it('formatCount groups thousands', () => {
  expect(formatCount(1_234_567)).toBe('1,234,567');
  expect(formatCount(null)).toBe('–');
});

it.each([
  [0, '0 s'],
  [59_000, '59 s'],
  [60_000, '1 min'],
  [3 * 3_600_000 + 20 * 60_000, '3 h 20 min'],
  [48 * 3_600_000, '2 d'],
  [-5, '0 s'],
])('formatDuration of %i ms is %s', (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

it('formatInstant names its time zone', () => {
  expect(formatInstant(new Date(Date.UTC(2026, 0, 2, 3, 4, 5)))).toBe('2026-01-02 03:04:05 UTC');
});
