import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { consoleLine, runConsole } from './console.ts';
import { MAX_CONSOLE_LINE_LENGTH, MAX_CONSOLE_LINES } from './limits.ts';
import { parse } from './refusal.ts';

const RUN = '01890a5d-ac96-774b-bcce-b302099a8057';
const line = (text: string, more: object = {}) => parse(consoleLine, { line: 7, time: 1, text, ...more });

describe('a line of console output', () => {
  test('keeps escape sequences and markup as they are', () => {
    const text = '\u001b[31m<script>&\u001b[0m\t"λ"';
    expect(line(text)).toEqual({ line: 7, time: 1, stream: 'stdout', text, cut: 0 });
  });

  test.each([
    ['1%\r2%\r3%', '3%'],
    ['\r50%', '50%'],
    ['50%\r', '50%'],
    ['done\r\n', 'done'],
    ['\r', ''],
    ['', ''],
    ['a\nb\n', 'a␊b'],
    ['a\0\ud800b', 'a\ufffd\ufffdb'],
  ])('%j is shown as %j', (sent, shown) => {
    expect(line(sent)).toMatchObject({ text: shown, cut: 0 });
  });

  test('the end of a long one is cut and counted, beside what its sender has cut', () => {
    const { text, cut } = line('x'.repeat(MAX_CONSOLE_LINE_LENGTH + 5), { cut: 100 });
    expect([text.length, cut]).toEqual([MAX_CONSOLE_LINE_LENGTH, 105]);
  });

  test('of any text something is kept that can be stored, and parsing it again changes nothing', () => {
    const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 3_000 }), fc.constant('\r'.repeat(500_000)));
    fc.assert(
      fc.property(anyText, (sent) => {
        const kept = line(sent);
        expect(kept.text.isWellFormed()).toBe(true);
        expect(kept.text).not.toMatch(/[\0\r\n]/);
        expect(kept.text.length).toBeLessThanOrEqual(MAX_CONSOLE_LINE_LENGTH);
        expect(parse(consoleLine, kept)).toEqual(kept);
      }),
    );
  });
});

test('console output that is wrong is refused by the path of what is', () => {
  const refusedAt = (over: object, line: object = {}) => {
    const lines = [{ line: 0, time: 1, text: 'a', ...line }];
    return () => parse(runConsole, { run: RUN, attempt: 1, lines, ...over });
  };
  expect(refusedAt({})).not.toThrow();
  const wrong = (field: string) => expect.objectContaining({ name: 'RefusedError', field });
  expect(refusedAt({ lines: [] })).toThrow(wrong('lines'));
  expect(refusedAt({ lines: Array(MAX_CONSOLE_LINES + 1).fill({ line: 0, time: 1, text: '' }) })).toThrow(
    wrong('lines'),
  );
  expect(refusedAt({}, { line: -1 })).toThrow(wrong('lines[0].line'));
  expect(refusedAt({}, { time: 'now' })).toThrow(wrong('lines[0].time'));
  expect(refusedAt({}, { stream: 'log' })).toThrow(wrong('lines[0].stream'));
  expect(refusedAt({}, { text: 5 })).toThrow(wrong('lines[0].text'));
});
