import { expect, test } from 'vitest';
import { decodeInChunks, rowsIn } from '../testing.ts';
import { jsonl } from './jsonl.ts';

const found = (text: string, chunk = 1 << 20) => decodeInChunks(jsonl, text, chunk);

test.each([1, 10, 1000])(
  'bare NaN and infinities are values, nested objects are flattened (chunks of %d bytes)',
  (chunk) => {
    const text = [
      '{"step": 1, "loss": NaN, "train": {"lr": 0.5, "deep": {"x": -Infinity}}, "says": "NaN \\" Infinity"}',
      '{"step": 2, "loss": 2e0, "é": Infinity}',
      '',
      '{"step": 3, "loss": 1}',
    ].join('\n');
    expect(rowsIn(found(text, chunk))).toEqual([
      [1, { loss: Number.NaN, 'train.lr': 0.5, 'train.deep.x': Number.NEGATIVE_INFINITY }],
      [2, { loss: 2, é: Number.POSITIVE_INFINITY }],
      [3, { loss: 1 }],
    ]);
  },
);

test('the step of the trainer comes before the counter of rows, and times are read', () => {
  const text = '{"_step": 7, "trainer/global_step": 99, "_timestamp": 1764493200.5, "loss": 1}\n';
  expect(found(text)).toEqual([{ kind: 'row', step: 99, time: 1_764_493_200_500, values: { _step: 7, loss: 1 } }]);
});

test('a line without a step among others belongs to the last step; without any, lines are counted', () => {
  expect(rowsIn(found('{"step":5,"loss":1}\n{"done":1}\n'))).toEqual([
    [5, { loss: 1 }],
    [5, { done: 1 }],
  ]);
  expect(rowsIn(found('{"loss":1}\n{"loss":2}\n'))).toEqual([
    [0, { loss: 1 }],
    [1, { loss: 2 }],
  ]);
});

test('what cannot be kept is counted', () => {
  expect(found('{"step":1,"loss":2,"hist":[1,2]}\n[1]\n{"step":2,\n').filter(({ kind }) => kind === 'lost')).toEqual([
    { kind: 'lost', what: 'values', count: 1, reason: 'a list has no place in a step' },
    { kind: 'lost', what: 'lines', count: 1, reason: 'not a JSON object' },
    { kind: 'lost', what: 'lines', count: 1, reason: 'not a JSON object' },
  ]);
});

test('a line longer than any report is given up, and what follows it is read', () => {
  const text = `{"step":1,"loss":1}\n${'x'.repeat(5 << 20)}\n{"step":2,"loss":2}\n`;
  const all = found(text, 1 << 20);
  expect(rowsIn(all)).toEqual([
    [1, { loss: 1 }],
    [2, { loss: 2 }],
  ]);
  expect(all).toContainEqual(expect.objectContaining({ kind: 'lost', what: 'records' }));
});

test('recordings of Evenkeel and data sets are left alone', () => {
  const matches = (text: string) => jsonl.matches('train.jsonl', Buffer.from(text));
  expect(['{"step":1}\n', '{"train":{"loss":1}}\n{', '{"iter":1,"loss":NaN}\n'].map(matches)).toEqual([
    true,
    true,
    true,
  ]);
  expect(['{"type":"run","id":"a","step":1}\n', '{"text":"a step"}\n', '{"step":1', '[1]\n'].map(matches)).toEqual([
    false,
    false,
    false,
    false,
  ]);
});

test('what is nested too deep is lost, and the rest of the line is read', () => {
  const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;
  const all = jsonl.decode(null).push(Buffer.from(`{"step":1,"deep":${deep},"loss":2}\n`));
  expect(all).toEqual([
    { kind: 'row', step: 1, time: null, values: { loss: 2 } },
    expect.objectContaining({ kind: 'lost', count: 1 }),
  ]);
});
