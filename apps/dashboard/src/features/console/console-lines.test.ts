import { MAX_KEPT_CONSOLE_LINES } from '@evenkeel/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ConsoleLines, ConsoleRow } from '../../trpc/client.tsx';
import { findLines, isSameBlock, keyOf, mergeLines, nextMatch, toBlocks, toText } from './console-lines.ts';
import { readAllLines } from './console-request.ts';

function aRow(line: number, text = `line ${line}`, over: Partial<ConsoleRow> = {}): ConsoleRow {
  return { attempt: 1, writer: 0, line, time: 0, stream: 'stdout', text, cut: 0, ...over };
}

const read = (revision: number, lines: ConsoleRow[]): ConsoleLines => ({
  revision,
  total: lines.length,
  lines,
  hasMore: false,
});

test('what came since is merged in order and replaces what it was', () => {
  const kept = read(1, [aRow(0), aRow(1, '10%'), aRow(5), aRow(0, 'second', { attempt: 2 })]);
  const news = read(3, [aRow(1, '20%'), aRow(3), aRow(6), aRow(1, 'end', { attempt: 2 })]);
  expect(mergeLines(kept, news).lines.map(({ text }) => text)).toEqual([
    'line 0',
    '20%',
    'line 3',
    'line 5',
    'line 6',
    'second',
    'end',
  ]);
  expect(mergeLines(kept, read(1, [])).lines).toBe(kept.lines);
});

test('where only the last lines were read, what changes before them stays out', () => {
  const kept = { revision: 1, total: 500, lines: [aRow(8), aRow(9)], hasMore: true };
  const news = read(2, [aRow(3, '20%'), aRow(9, 'b'), aRow(10)]);
  expect(mergeLines(kept, { ...news, total: 501 })).toEqual({
    revision: 2,
    total: 501,
    lines: [aRow(8), aRow(9, 'b'), aRow(10)],
    hasMore: true,
  });
});

test('beyond the lines that are kept, the oldest go, whichever client wrote them', () => {
  const old = Array.from({ length: MAX_KEPT_CONSOLE_LINES }, (_, at) => aRow(at, 'x', { writer: 1, time: at }));
  const kept = read(1, [aRow(0, 'first', { time: -1 }), ...old.slice(1)]);
  const news = read(2, [aRow(1, 'Traceback', { time: MAX_KEPT_CONSOLE_LINES })]);
  const { lines } = mergeLines(kept, news);
  expect(lines).toHaveLength(MAX_KEPT_CONSOLE_LINES);
  expect(lines.slice(0, 2).map(keyOf)).toEqual(['1.0.1', '1.1.1']);
});

test('all lines are read page by page, and as of the first read', async () => {
  const pages = new Map([
    ['', { ...read(5, [aRow(4), aRow(5)]), hasMore: true }],
    ['1.0.4', { ...read(6, [aRow(2), aRow(3)]), hasMore: true }],
    ['1.0.2', read(7, [aRow(1)])],
  ]);
  const all = await readAllLines(
    async ({ before }) => pages.get(before ? keyOf(before) : '') ?? expect.fail('no such page'),
    { run: 'id' },
  );
  expect(all).toMatchObject({ revision: 5, total: 2, hasMore: false });
  expect(all.lines.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5]);
});

test('however it comes, what is merged is what a map of the newest texts has', () => {
  const rows = fc.uniqueArray(
    fc.record({ attempt: fc.integer({ min: 1, max: 3 }), writer: fc.nat(2), line: fc.nat(5), text: fc.string() }),
    { selector: ({ attempt, writer, line }) => `${attempt} ${writer} ${line}` },
  );
  const inOrder = (a: ConsoleRow, b: ConsoleRow) => (keyOf(a) < keyOf(b) ? -1 : 1); // of one digit each
  fc.assert(
    fc.property(fc.array(rows), (messages) => {
      const expected = new Map<string, ConsoleRow>();
      let kept = read(0, []);
      for (const [at, message] of messages.entries()) {
        const lines = message.map(({ line, text, ...over }) => aRow(line, text, over)).toSorted(inOrder);
        for (const line of lines) expected.set(keyOf(line), line);
        kept = mergeLines(kept, read(at + 1, lines));
      }
      expect(kept.lines).toEqual([...expected.values()].toSorted(inOrder));
    }),
  );
});

test('blocks end at hundreds, at gaps, and where another attempt or client begins', () => {
  const lines = [aRow(98), aRow(99), aRow(100), aRow(103), aRow(105)];
  const others = [
    aRow(0, 'b', { writer: 1 }),
    aRow(0, 'c', { attempt: 2, writer: 1 }),
    aRow(7, 'd', { attempt: 2, writer: 2 }),
  ];
  const blocks = toBlocks([...lines, ...others]);
  expect(blocks.map(({ heading, lines }) => [heading, lines.length])).toEqual([
    [null, 2],
    [null, 1],
    ['2 lines are missing', 1],
    ['1 line is missing', 1],
    ['the job writes again', 1],
    ['attempt 2', 1],
    ['the job writes again', 1],
  ]);
  expect(toBlocks([aRow(3, 'x', { attempt: 2 })])).toMatchObject([{ heading: 'attempt 2' }]);
});

test('a line that comes changes its own block alone', () => {
  const lines = Array.from({ length: 250 }, (_, at) => aRow(at));
  const former = toBlocks(lines);
  const later = toBlocks([...lines, aRow(250)]);
  expect(later.map((block, at) => former[at] !== undefined && isSameBlock(block, former[at]))).toEqual([
    true,
    true,
    false,
  ]);
});

test('words are found whatever their case, also across colors, and followed around the ends', () => {
  const lines = [aRow(0, 'Loss \u001b[31m2.5'), aRow(1, 'step'), aRow(2, 'LOSS NaN'), aRow(3, 'loss')];
  const found = findLines(lines, 'loss ');
  expect(found).toEqual(['1.0.0', '1.0.2']);
  expect(findLines(lines, '')).toEqual([]);
  expect([nextMatch(found, null, 1), nextMatch(found, null, -1)]).toEqual(['1.0.0', '1.0.2']);
  expect([nextMatch(found, '1.0.2', 1), nextMatch(found, '1.0.0', -1)]).toEqual(['1.0.0', '1.0.2']);
  expect(nextMatch([], '1.0.0', 1)).toBeUndefined();
});

test('as text it has no colors', () => {
  expect(toText([aRow(0, '\u001b[31mred\u001b[0m'), aRow(1, '')])).toBe('red\n\n');
});
