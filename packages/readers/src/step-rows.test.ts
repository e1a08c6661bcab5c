import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Found } from './format.ts';
import { StepRows } from './step-rows.ts';

type Row = Extract<Found, { kind: 'row' }>;

function merged(rows: readonly Row[]): Row[] {
  const steps = new StepRows();
  return [...rows.flatMap((row) => steps.add(row) ?? []), ...steps.flush()];
}

test('values of a step that are close come as one row, at the time of the first', () => {
  const row = (step: number, time: number, values: Record<string, number>): Row => ({
    kind: 'row',
    step,
    time,
    values,
  });
  expect(merged([row(1, 10, { a: 1, b: 1 }), row(2, 11, { a: 2 }), row(1, 12, { b: 3, c: 4 })])).toEqual([
    row(1, 10, { a: 1, b: 3, c: 4 }),
    row(2, 11, { a: 2 }),
  ]);
});

test('whatever the order and the distance, applying the rows in order gives what applying all did', () => {
  const rows = fc.array(
    fc.record({ kind: fc.constant('row' as const), step: fc.nat(1_000), time: fc.constant(null), values: values() }),
    { minLength: 300, maxLength: 900 },
  );
  fc.assert(
    fc.property(rows, (given) => {
      expect(applied(merged(given))).toEqual(applied(given));
    }),
    { numRuns: 30 },
  );
});

const values = () => fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.double(), { minKeys: 1, noNullPrototype: true });

function applied(rows: readonly Row[]) {
  const steps = new Map<number, Record<string, number>>();
  for (const { step, values } of rows) steps.set(step, { ...steps.get(step), ...values });
  return steps;
}

test('of very many values of one step and name the last stays', () => {
  const rows = Array.from({ length: 20_000 }, (_, at): Row => ({ kind: 'row', step: 0, time: at, values: { a: at } }));
  expect(merged(rows)).toEqual([{ kind: 'row', step: 0, time: 0, values: { a: 19_999 } }]);
});
