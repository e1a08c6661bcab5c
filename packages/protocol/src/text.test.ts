import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isStorable, name, printable, text } from './text.ts';

const storable = (value: string) => value.isWellFormed() && !value.includes('\0');
/** Strings rich in what could be taken for an escape, or is one. */
const tricky = fc
  .array(
    fc.constantFrom(
      '\\',
      '\\\\',
      'u0000',
      '\\u0000',
      '\0',
      'ud800',
      '\ud83d',
      '\ude00',
      '😀',
      '"',
      '\n',
      'λ',
      '\ufeff',
    ),
  )
  .map((parts) => parts.join(''));
const anyString = fc.oneof(
  tricky,
  fc.string({ unit: 'binary' }),
  fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units)),
);

describe('text', () => {
  test('takes what is well-formed Unicode without NUL', () => {
    fc.assert(
      fc.property(anyString, (value) => {
        expect(text(1_000_000).safeParse(value).success).toBe(storable(value));
      }),
      { numRuns: 1_000 },
    );
  });

  test('counts code points', () => {
    expect(text(2).safeParse('😀😀').success).toBe(true);
    expect(text(1).safeParse('😀😀').success).toBe(false);
    expect(text(0).safeParse('').success).toBe(true);
  });

  test('a name has at least one character and at most 200', () => {
    expect(name.safeParse('').success).toBe(false);
    expect(name.safeParse('x'.repeat(200)).success).toBe(true);
    expect(name.safeParse('x'.repeat(201)).success).toBe(false);
  });
});

test('isStorable finds what cannot be stored in any string of a JSON value, keys included, and nothing else', () => {
  const value = fc.oneof(
    anyString.map((string) => [[string], string]),
    fc.tuple(anyString, anyString).map(([key, string]) => [[key, string], { a: [{ [key]: string }] }]),
  );
  fc.assert(
    fc.property(value, ([strings, json]) => {
      expect(isStorable(JSON.stringify(json))).toBe((strings as string[]).every(storable));
    }),
    { numRuns: 2_000 },
  );
});

test('printable escapes what could color, move, split or turn a line of a terminal, and nothing else', () => {
  expect(printable('a\x1b[31mb\x9bK\nc\r\td\x7f\u2028e\u2029\u202ef\u2066g\0')).toBe(
    'a\\x1b[31mb\\x9bK\\nc\\r\\td\\x7f\\u2028e\\u2029\\u202ef\\u2066g\\x00',
  );
  const harmless = 'naïve “run” №1, lr=3e-3 \\ 日本語 👩‍👩‍👧 שלום';
  expect(printable(harmless)).toBe(harmless);
});
