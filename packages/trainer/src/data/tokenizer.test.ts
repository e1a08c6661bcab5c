import fc from 'fast-check';
import { encode } from 'gpt-tokenizer/encoding/gpt2';
import { expect, test } from 'vitest';
import { encodeGpt2 } from './tokenizer.ts';

async function encodeParts(parts: Iterable<string>): Promise<number[]> {
  const all: number[] = [];
  for await (const tokens of encodeGpt2(streamOf(parts))) all.push(...tokens);
  return all;
}

async function* streamOf(parts: Iterable<string>): AsyncGenerator<string> {
  yield* parts;
}

/** The text in parts of `length` code points, as no decoder cuts one in two. */
function partsOf(text: string, length: number): string[] {
  const signs = [...text];
  const parts = Array.from({ length: Math.ceil(signs.length / length) }, (_, at) => at * length);
  return parts.map((start) => signs.slice(start, start + length).join(''));
}

const atOnce = (text: string) => encode(text, { disallowedSpecial: new Set() });

test('the tokens are those that GPT-2 has', async () => {
  // as its published vocabulary lists them: Hello, Ġworld, and what stands between documents
  expect(await encodeParts(['Hello world'])).toEqual([15496, 995]);
});

test('a text in parts has the tokens of the whole, wherever it is cut', async () => {
  const bits = [
    'a',
    'B',
    'é',
    '中',
    '𝒜',
    '7',
    '٣',
    ' ',
    '  ',
    '\n',
    '\r\n',
    '\t',
    '\u00a0',
    '\ufeff',
    "'",
    "'s",
    "'ll",
    're',
  ].concat(['.', '!!', '—', '👩‍👩‍👧', '\u0301', '\ufffd', '<|endoftext|>', ' the', ' quick', 'tokenization', '12345']);
  const texts = fc.array(fc.constantFrom(...bits), { maxLength: 40 }).map((chosen) => chosen.join(''));
  await fc.assert(
    fc.asyncProperty(texts, fc.integer({ min: 1, max: 9 }), async (text, length) => {
      expect(await encodeParts(partsOf(text, length))).toEqual(atOnce(text));
    }),
    { numRuns: 1000 },
  );
});

test('a special token in the text is plain text', async () => {
  const tokens = await encodeParts(['a<|endoftext|>b']);
  expect(Math.max(...tokens)).toBeLessThan(50_256);
  expect(tokens.length).toBeGreaterThan(3);
});

test('a run shorter than 1024 is encoded whole', async () => {
  const runs = ['A', '7', ' ', '!'].map((sign) => sign.repeat(1023)).join('');
  expect(await encodeParts(partsOf(runs, 1000))).toEqual(atOnce(runs));
});

test('a longer run without a border is encoded 1024 by 1024, however it comes', async () => {
  const signs = [...'ACGT', ...'𝒜𝒞𝒢𝒯'];
  for (const kind of [0, 4]) {
    const run = Array.from({ length: 6000 }, (_, at) => signs[kind + ((at * at + (at >> 3)) % 4)]).join('');
    const pieces = partsOf(run, 1024).flatMap(atOnce);
    expect(await encodeParts(['x\n', run])).toEqual([...atOnce('x\n'), ...pieces]);
    expect(await encodeParts(partsOf(`${run}!`, 999))).toEqual([...pieces, ...atOnce('!')]);
  }
});
