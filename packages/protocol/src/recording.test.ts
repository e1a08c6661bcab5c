import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { layerNames, type RecordedStep, readRecordedLine, writeRecordedLine } from './recording.ts';
import { RefusedError } from './refusal.ts';

function refusal(act: () => unknown) {
  try {
    act();
  } catch (error) {
    if (error instanceof RefusedError) return error.field;
    throw error;
  }
  throw new Error('taken, not refused');
}

const number = fc.oneof({ weight: 5, arbitrary: fc.double() }, fc.constant(-0));
const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });
const step: fc.Arbitrary<RecordedStep> = fc
  .record({
    step: fc.nat(2 ** 31 - 1),
    time: maybe(fc.nat()),
    loss: maybe(number),
    tevMean: maybe(number),
    gradVar: maybe(number),
    tokens: maybe(fc.maxSafeNat()),
    layerGradVar: maybe(fc.array(number, { maxLength: 9 })),
    custom: maybe(
      fc.dictionary(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 9 }).filter((key) => key !== '__proto__'),
        number,
      ),
    ),
  })
  .map((event) => ({ type: 'step', ...event }));

test('any step is read as it was written, in one line', () => {
  fc.assert(
    fc.property(step, (event) => {
      const text = writeRecordedLine(event);
      expect(text).toMatch(/^\{"type":"step",.*\}$/s);
      expect(text).not.toMatch(/[\n\r]/);
      const present = Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined));
      expect(readRecordedLine(text)).toEqual(present);
    }),
  );
});

test('a negative zero stays one, whatever the names beside it', () => {
  const custom = { '-0': -0, 'a"-0"': -0, '"-0",': 0, b: -0 };
  const event = { type: 'step', step: 1, loss: -0, layerGradVar: [-0, 0, -0], custom } as const;
  expect(readRecordedLine(writeRecordedLine(event))).toEqual(event);
});

test('no line that is cut short is one', () => {
  const text = writeRecordedLine({ type: 'step', step: 12, loss: Number.NaN, custom: { 'a}': 1 } });
  for (let length = 0; length < text.length; length++) {
    expect(refusal(() => readRecordedLine(text.slice(0, length)))).toBe('');
  }
});

test('a run line needs an id alone; what it does not name is left out', () => {
  const described = { attempt: 1, config: {}, owner: null, tags: [], notes: '', layers: [] };
  expect(readRecordedLine('{"type":"run","id":"A007","color":"red"}')).toEqual({
    type: 'run',
    id: 'A007',
    ...described,
  });
});

test('a run and its end are read as they were written', () => {
  const run = {
    type: 'run',
    id: 'A007',
    project: 'p\u2028q',
    config: { layers: 4 },
    layers: ['a'],
    attempt: 2,
  } as const;
  expect(readRecordedLine(writeRecordedLine(run))).toMatchObject(run);
  const finish = { type: 'finish', status: 'failed', reason: 'line\nfeed', endedAt: 5 } as const;
  expect(readRecordedLine(writeRecordedLine(finish))).toEqual(finish);
  expect(readRecordedLine('{"type":"finish","status":"stopped"}')).toEqual({
    type: 'finish',
    status: 'stopped',
    reason: null,
  });
});

describe('a line that is wrong is refused by its field', () => {
  test.each([
    ['', ''],
    ['', 'null'],
    ['', '[]'],
    ['', '{"type":"step","step":1'],
    ['', '{"type":"step","step":1}{}'],
    ['type', '{}'],
    ['type', '{"type":"stop"}'],
    ['id', '{"type":"run"}'],
    ['id', '{"type":"run","id":7}'],
    ['id', '{"type":"run","id":""}'],
    ['config', '{"type":"run","id":"a","config":[]}'],
    ['attempt', '{"type":"run","id":"a","attempt":0}'],
    ['layers[1]', '{"type":"run","id":"a","layers":["x",7]}'],
    ['startedAt', '{"type":"run","id":"a","startedAt":-1}'],
    ['step', '{"type":"step"}'],
    ['step', '{"type":"step","step":1.5}'],
    ['loss', '{"type":"step","step":1,"loss":"nan"}'],
    ['layerGradVar[1]', '{"type":"step","step":1,"layerGradVar":[1,"x"]}'],
    ['tevQuantiles', '{"type":"step","step":1,"tevQuantiles":[1]}'],
    ['custom', '{"type":"step","step":1,"custom":{"__proto__":1}}'],
    ['custom.a', '{"type":"step","step":1,"custom":{"a":"b"}}'],
    ['status', '{"type":"finish","status":"lost"}'],
    ['endedAt', '{"type":"finish","status":"failed","endedAt":"now"}'],
  ])('%j: %s', (field, text) => {
    expect(refusal(() => readRecordedLine(text))).toBe(field);
  });

  test('also on writing', () => {
    expect(refusal(() => writeRecordedLine({ type: 'step', step: 0.5 }))).toBe('step');
  });
});

test('layers are named after parts of the model only where its configuration counts the blocks', () => {
  expect(layerNames({ layers: 2 }, 4)).toEqual(['embedding', 'block 1', 'block 2', 'head']);
  expect(layerNames({ layers: 3 }, 4)).toEqual(['layer 1', 'layer 2', 'layer 3', 'layer 4']);
  expect(layerNames({}, 2)).toEqual(['layer 1', 'layer 2']);
  expect(layerNames({ layers: 0 }, 2)).toEqual(['layer 1', 'layer 2']);
});
