import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { config, numberOf, tagIntegers, tagNumber } from './config.ts';
import { readRecordedLine, writeRecordedLine } from './recording.ts';
import { parse } from './refusal.ts';

interface Case {
  sent: Record<string, unknown>;
  kept: Record<string, unknown>;
  read: Record<string, string>;
}
const fixture = readFileSync(new URL('../fixtures/config.json', import.meta.url), 'utf8');
const { cases }: { cases: Case[] } = JSON.parse(fixture);

/** The values of a configuration that stand for numbers, by the keys that lead to each. */
function numbersIn(value: unknown, path: readonly string[] = []): [string, string][] {
  const text = numberOf(value);
  if (text !== null) return [[path.join('.'), text]];
  return typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => numbersIn(inner, [...path, key]))
    : [];
}

test.each(cases)('the fixture %# is kept and read as it says', ({ sent, kept, read }) => {
  expect(parse(config, sent)).toEqual(kept);
  expect(parse(config, kept)).toEqual(kept);
  expect(Object.fromEntries(numbersIn(kept))).toEqual(read);
});

test('a program gives numbers as they are', () => {
  const given = {
    seed: 2n ** 64n,
    small: -7n,
    edge: 2n ** 53n,
    safe: 2n ** 53n - 1n,
    deep: [{ max: Infinity, nan: NaN }],
  };
  expect(parse(config, given)).toEqual({
    seed: { $number: '18446744073709551616' },
    small: -7,
    edge: { $number: '9007199254740992' },
    safe: 9007199254740991,
    deep: [{ max: { $number: 'Infinity' }, nan: { $number: 'NaN' } }],
  });
});

test('every integer comes back with all of its digits, and two are equal only if they are the same', () => {
  const written = (value: bigint) => JSON.stringify(parse(config, { value }));
  const read = (value: bigint) => {
    const { value: kept } = parse(config, JSON.parse(written(value)));
    return BigInt(numberOf(kept) ?? String(kept));
  };
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), (value) => {
      expect(read(value)).toBe(value);
      expect(written(value)).not.toBe(written(value + 1n));
      expect(written(value)).toBe(JSON.stringify(parse(config, JSON.parse(JSON.stringify({ value }, tagNumber)))));
    }),
  );
});

test('a configuration that is called as a number is, is an object all the same', () => {
  expect(parse(config, { $number: '5' })).toEqual({ $number: '5' });
});

test('a recording keeps them, and reads the plain integers of other programs exactly', () => {
  const { type, ...run } = { type: 'run' as const, id: 'r', config: { seed: 2n ** 70n, clip: Infinity } };
  const line = writeRecordedLine({ type, ...run });
  expect(readRecordedLine(line)).toMatchObject({
    config: { seed: { $number: '1180591620717411303424' }, clip: { $number: 'Infinity' } },
  });
  const plain =
    '{"type":"run","id":"r","config":{"seed":1180591620717411303424,"rate":1e-3,"note":"\\"9007199254740993"}}';
  expect(readRecordedLine(plain)).toMatchObject({
    config: { seed: { $number: '1180591620717411303424' }, rate: 0.001, note: '"9007199254740993' },
  });
});

test('of JSON only integers that would be rounded become objects', () => {
  const kept = '{"a":1.12345678901234567890,"b":9007199254740991,"c":1e30,"9007199254740993":-0}';
  expect(tagIntegers(kept)).toBe(kept);
  expect(tagIntegers('[-9007199254740993]')).toBe('[{"$number":"-9007199254740993"}]');
});
