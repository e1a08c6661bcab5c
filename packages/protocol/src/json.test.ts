import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isJson } from './json.ts';

it('is true only of what JSON gives back as it was', () => {
  const anything = fc.anything({ withDate: true, withMap: true, withBigInt: true, withNullPrototype: true });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), anything), (value) => {
      if (isJson(value)) expect(JSON.parse(JSON.stringify(value))).toStrictEqual(value);
    }),
    { numRuns: 2_000 },
  );
});

it.each([
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -0,
  undefined,
  new Date(0),
  new Map(),
  1n,
  [undefined],
  { a: { b: new Date(0) } },
  { toJSON: () => 1 },
])('is false of %o', (value) => {
  expect(isJson(value)).toBe(false);
});

it.each([null, 0, 'a', true, [], {}, { a: [1, null, { b: 'c' }] }])('is true of %o', (value) => {
  expect(isJson(value)).toBe(true);
});
