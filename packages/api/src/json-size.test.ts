import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonSize } from './json-size.ts';

test('is never less than the JSON of what an answer may hold', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '漢', '🦀') });
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      fc.double(),
      text,
      fc.constant(null),
      fc.boolean(),
      fc.array(tie('tree')),
      fc.dictionary(text, tie('tree')),
    ),
  }));
  const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
  fc.assert(fc.property(tree, (value) => jsonSize(value, Number.POSITIVE_INFINITY) >= bytes(value)));
});

test('is not counted on beyond the maximum', () => {
  let walked = 0;
  const rows = Array.from({ length: 1_000 }, () => ({
    get loss() {
      return ++walked;
    },
  }));
  expect(jsonSize(rows, 1_000)).toBeGreaterThan(1_000);
  expect(walked).toBeLessThan(50);
});
