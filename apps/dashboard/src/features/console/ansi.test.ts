import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ansiParts, plainText } from './ansi.ts';

const ESC = '\u001b';

test('colors and decorations become parts, bright ones the same, and others that of text', () => {
  const text = `a${ESC}[31mred${ESC}[1;92mbold${ESC}[0m b${ESC}[38;5;208mc${ESC}[38;2;1;2;3md${ESC}[m`;
  expect(ansiParts(text)).toEqual([
    { text: 'a', color: null, decorations: '' },
    { text: 'red', color: 'red', decorations: '' },
    { text: 'bold', color: 'green', decorations: 'bold' },
    { text: ' b', color: null, decorations: '' },
    { text: 'c', color: null, decorations: '' },
    { text: 'd', color: null, decorations: '' },
  ]);
});

test.each([
  ['sequences that move the cursor or erase', `a${ESC}[K b${ESC}[2A c${ESC}[?25h`, 'a b c'],
  ['links and titles', `${ESC}]8;;http://x\u0007link${ESC}]8;;\u0007 ${ESC}]0;title\u0007end`, 'link end'],
  ['bells, backspaces and half a sequence', `a\u0007b\bc${ESC}[`, 'abc['],
  ['markup, tabs and other scripts stay', '<b onclick="x">&amp;</b>\tλ😀', '<b onclick="x">&amp;</b>\tλ😀'],
])('%s', (_, text, plain) => {
  expect(plainText(text)).toBe(plain);
  expect(
    ansiParts(text)
      .map((part) => part.text)
      .join(''),
  ).toBe(plain);
});

test('of any text the parts are the plain text', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(`${ESC}[`, ESC, '31m', `${ESC}[0m`, `${ESC}[1;31m`, ';', 'm', '\u009b', `${ESC}]`, '\u0007', '\r'),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const text = pieces.join('');
      const parts = ansiParts(text).map((part) => part.text);
      expect(parts.join('')).toBe(plainText(text));
    }),
  );
});
