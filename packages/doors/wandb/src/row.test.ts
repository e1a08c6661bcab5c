import { expect, test } from 'vitest';
import { readRow } from './row.ts';

const read = (line: string) => {
  const row = readRow(line);
  return row && { values: Object.fromEntries(row.values), notKept: row.notKept };
};

test('numbers that JSON has no word for are read, and text that looks like them is none', () => {
  expect(read('{"a":NaN,"b":-Infinity,"c":Infinity,"NaN":1,"s":"NaN, \\"Infinity","d":[NaN]}')).toEqual({
    values: { a: Number.NaN, b: Number.NEGATIVE_INFINITY, c: Number.POSITIVE_INFINITY, NaN: 1 },
    notKept: ['s', 'd'],
  });
});

test('an integer beyond 2^53 is the nearest number', () => {
  expect(read('{"big":1152921504606846977}')).toEqual({ values: { big: 2 ** 60 }, notKept: [] });
});

test('what lies in an object has its name behind a dot, truth is 1, and null was not measured', () => {
  expect(read('{"train":{"acc":0.5,"deep":{"x":1}},"p/q":2,"a.b":3,"yes":true,"no":false,"none":null,"e":{}}')).toEqual(
    {
      values: { 'train.acc': 0.5, 'train.deep.x': 1, 'p/q': 2, 'a.b': 3, yes: 1, no: 0 },
      notKept: [],
    },
  );
});

test('text, lists, media and histograms are left out under their names', () => {
  const histogram = '{"_type":"histogram","values":[1,2],"bins":[0,1,2]}';
  expect(read(`{"h":${histogram},"t":"x","l":[1,2],"in":{"h":${histogram}},"loss":1}`)).toEqual({
    values: { loss: 1 },
    notKept: ['h', 't', 'l', 'in.h'],
  });
});

test.each(['', '{', '[1]', '1', 'null', '"x"', '{"a":NaNa}', '{"a":Inf}'])('%s is no row', (line) => {
  expect(readRow(line)).toBeNull();
});

test('a text without its end is no row at once, however many quotes are in it', () => {
  expect(readRow(`{"NaN":"${'\\"'.repeat(500_000)}`)).toBeNull();
});

test('what is nested too deep is left out, and the rest of the row is read', () => {
  const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;
  expect(read(`{"deep":${deep},"loss":1}`)).toEqual({
    values: { loss: 1 },
    notKept: [expect.stringMatching(/^deep\.a/)],
  });
});
