import { expect, test } from 'vitest';
import { markdownTable, textTable } from './table.ts';

const ROWS = [
  ['', 'ms', 'steps/s'],
  ['wasm', '12', '83.3'],
  ['cpu', '1200', '0.8'],
];

test('columns are as wide as their widest cell, and no line ends in spaces', () => {
  expect(textTable(ROWS)).toEqual([
    '      ms    steps/s',
    'wasm  12    83.3',
    'cpu   1200  0.8', //
  ]);
});

test('numbers are aligned to the right where that is asked for', () => {
  expect(textTable(ROWS, ['left', 'right', 'right'])).toEqual([
    '        ms  steps/s',
    'wasm    12     83.3',
    'cpu   1200      0.8',
  ]);
});

test('the last cell of a short row spans the rest, and widens no column', () => {
  expect(textTable([...ROWS, ['webgpu', 'is not installed here']], ['left', 'right', 'right'])).toEqual([
    '          ms  steps/s',
    'wasm      12     83.3',
    'cpu     1200      0.8',
    'webgpu  is not installed here',
  ]);
});

test('a table of no rows has no lines', () => {
  expect(textTable([])).toEqual([]);
});

test('Markdown has a rule below the headings', () => {
  expect(markdownTable(ROWS, ['left', 'right', 'right'])).toEqual([
    '|  | ms | steps/s |',
    '| --- | --: | --: |',
    '| wasm | 12 | 83.3 |',
    '| cpu | 1200 | 0.8 |',
  ]);
});
