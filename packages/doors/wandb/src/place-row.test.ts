import { expect, test } from 'vitest';
import { RowPlacer } from './place-row.ts';
import type { Row } from './row.ts';
import { readStepRules, StepRules } from './step-rules.ts';

const row = (values: Record<string, number>): Row => ({
  values: new Map(Object.entries({ _timestamp: 1_700_000_000.5, _runtime: 1, ...values })),
  notKept: [],
});
const time = 1_700_000_000_500;
const NO_RULES = new StepRules([]);

/** As `define_metric("my_step")`, `("tr/*", step_metric="my_step")`, `("tr/val/*", step_metric="epoch")` and `("acc", …)`. */
const RULES = new StepRules(
  readStepRules([
    { 1: 'my_step', 6: [3], 7: [] },
    { 2: 'tr/*', 5: 1, 6: [1], 7: [] },
    { 1: 'epoch' },
    { 2: 'tr/val/*', 5: 3 },
    { 1: 'acc', 5: 3 },
  ]),
);

test('a row is at its number, where nothing else is known', () => {
  expect(new RowPlacer(NO_RULES, {}).place(row({ _step: 7, loss: 2, acc: Number.NaN }))).toEqual([
    { step: 7, time, custom: { loss: 2, acc: Number.NaN } },
  ]);
});

test('the optimizer step of a framework comes before the row number, also in rows after it', () => {
  const placer = new RowPlacer(NO_RULES, {});
  const rows: Record<string, number>[] = [
    { _step: 0, x: 1 },
    { _step: 1, 'train/global_step': 10, loss: 2 },
    { _step: 2, eval: 3 },
  ];
  const placed = rows.flatMap((values) => placer.place(row(values)));
  expect(placed).toEqual([
    { step: 0, time, custom: { x: 1 } },
    { step: 10, time, custom: { loss: 2 } },
    { step: 10, time, custom: { eval: 3 } },
  ]);
  expect(new RowPlacer(NO_RULES, placer.seen).place(row({ _step: 3, y: 1 }))).toMatchObject([{ step: 10 }]);
  expect(new RowPlacer(NO_RULES, {}).place(row({ _step: 3, 'trainer/global_step': 5, y: 1 }))).toMatchObject([
    { step: 5 },
  ]);
});

test('a rule gives a metric its step: that of its name, else of the longest prefix', () => {
  const placer = new RowPlacer(RULES, {});
  expect(
    placer.place(row({ _step: 3, my_step: 30, epoch: 2, 'tr/loss': 1, 'tr/lr': 0.1, 'tr/val/x': 4, acc: 5, n: 6 })),
  ).toEqual([
    { step: 30, time, custom: { 'tr/loss': 1, 'tr/lr': 0.1 } },
    { step: 2, time, custom: { 'tr/val/x': 4, acc: 5 } },
    { step: 3, time, custom: { n: 6 } },
  ]);
  expect(placer.place(row({ _step: 4, 'tr/loss': 7 }))).toEqual([{ step: 30, time, custom: { 'tr/loss': 7 } }]);
});

test('a step metric that is no whole number is a value like others, and its metrics are at the row number', () => {
  expect(new RowPlacer(RULES, {}).place(row({ _step: 3, epoch: 0.25, acc: 1 }))).toEqual([
    { step: 3, time, custom: { epoch: 0.25, acc: 1 } },
  ]);
});

test('a row without a step in range is at none', () => {
  for (const _step of [2 ** 41, 0.5, Number.NaN])
    expect(new RowPlacer(NO_RULES, {}).place(row({ _step, x: 1 }))).toEqual([]);
});

test.each([undefined, null, 'x', [1], [{ 5: 1 }], [{ 1: 'a', 5: 9 }], [{ 2: 'a', 5: 1 }], [{ 1: 'a' }]])(
  'definitions without a step metric are no rules: %j',
  (sent) => expect(readStepRules(sent)).toEqual([]),
);
