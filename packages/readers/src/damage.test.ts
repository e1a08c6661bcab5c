import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FILE_FORMATS, type FileFormat, type Found } from './index.ts';
import { decode, lossesOf, rowsOf, SAMPLES } from './testing.ts';

/** Of each property, for each sample. */
const CASES = { numRuns: Number(process.env.EVENKEEL_TEST_CASES || 150) };

const names = readdirSync(SAMPLES, { recursive: true, encoding: 'utf8' });
const BINARY = new Set(['tensorboard', 'wandb', 'swanlab']);
const files = names.filter((name) => /tfevents|\.wandb$|\.swanlab$/.test(name)).sort();

describe.each(files)('%s', (path) => {
  const whole = readFileSync(join(SAMPLES, path));
  const format = FILE_FORMATS.find((each) => each.matches(path, whole)) as FileFormat;
  const original = summary(readAll(format, [whole]));
  const places = fc.array(fc.nat(whole.length), { maxLength: 8 });
  const damage = fc.record({
    flips: fc.array(fc.record({ at: fc.nat(whole.length - 1), bit: fc.nat(7) }), { minLength: 1, maxLength: 5 }),
    length: fc.oneof(fc.constant(whole.length), fc.nat(whole.length)),
  });

  test('in chunks of any size it says the same as at once', () => {
    fc.assert(
      fc.property(places, (cuts) => {
        expect(summary(readAll(format, chunksOf(whole, cuts)))).toEqual(original);
      }),
      CASES,
    );
  });

  test('a reader that goes on from where another has come to says the rest', () => {
    fc.assert(
      fc.property(fc.nat(whole.length), (cut) => {
        const first = decode(format, [whole.subarray(0, cut)]);
        expect(first.position.bytes).toBeLessThanOrEqual(cut);
        const position = JSON.parse(JSON.stringify(first.position));
        const rest = readAll(format, [whole.subarray(position.bytes)], position);
        expect(summary([...first.found, ...rest])).toEqual(original);
      }),
      CASES,
    );
  });

  test('damaged or cut, it gives what is whole before the damage, and says that something is lost', () => {
    fc.assert(
      fc.property(damage, ({ flips, length }) => {
        const bytes = damaged(whole, flips).subarray(0, length);
        const sound = bytes.findIndex((byte, at) => byte !== whole[at]);
        const before = rowsOf(decode(format, [whole.subarray(0, sound < 0 ? length : sound)]).found);
        const { found, position, end } = decode(format, [bytes]);
        expect(position.bytes).toBeLessThanOrEqual(length);
        expect(rowsOf(found).slice(0, before.length)).toEqual(before);
        const all = [...found, ...end()];
        if (length === whole.length && rowsOf(all).length < rowsOf(readAll(format, [whole])).length)
          expect(Object.keys(lossesOf(all))).not.toEqual([]);
      }),
      CASES,
    );
  });
});

test('what is no file of a format harms no reader, whatever it is', () => {
  fc.assert(
    fc.property(fc.constantFrom(...FILE_FORMATS), fc.uint8Array({ maxLength: 500 }), (format, bytes) => {
      const { found, position, end } = decode(format, [bytes]);
      expect(position.bytes).toBeLessThanOrEqual(bytes.length);
      const rows = rowsOf([...found, ...end()]);
      if (BINARY.has(format.name)) expect(rows).toEqual([]);
    }),
    CASES,
  );
});

function readAll(format: FileFormat, chunks: readonly Uint8Array[], from = null): Found[] {
  const { found, end } = decode(format, chunks, from);
  return [...found, ...end()];
}

/** In order, but for losses: they are counted. */
function summary(found: readonly Found[]) {
  return { found: found.filter(({ kind }) => kind !== 'lost'), losses: lossesOf(found) };
}

function chunksOf(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, at) => bytes.subarray(places[at], end));
}

function damaged(bytes: Uint8Array, flips: readonly { at: number; bit: number }[]): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (const { at, bit } of flips) copy[at] = (copy[at] as number) ^ (1 << bit);
  return copy;
}
