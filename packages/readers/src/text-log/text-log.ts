import { stripVTControlCharacters } from 'node:util';
import type { FileFormat, Found } from '../format.ts';
import { decodeRecords, endOfLines, linesOf, type RecordReader } from '../text/records.ts';
import { noRows, type RowsState, rowsState, takeRow } from '../text/rows.ts';
import { runOfPath } from '../text/run-of-path.ts';
import { customPattern, LINE_PATTERNS, type LinePattern } from './patterns.ts';

/** Logs that training programs print: of Megatron-LM, torchtitan, nanoGPT and modded-nanogpt. Other lines are passed over. */
export const textLog: FileFormat = textLogOf(LINE_PATTERNS);

/** Logs of another program. @param expression its groups name what they match; `step` and `time` are the step and the time. */
export function customTextLog(expression: RegExp): FileFormat {
  return textLogOf([customPattern(expression)]);
}

function textLogOf(patterns: readonly LinePattern[]): FileFormat {
  const reader: RecordReader<RowsState> = {
    state: rowsState,
    start: noRows,
    endOf: endOfLines,
    read: (text, state) => linesOf(text).flatMap((line) => readLine(line, patterns, state)),
  };
  return {
    name: 'text-log',
    matches: (path, head) => /\.(log|txt|out|err)$/i.test(path) && !head.includes(0),
    runOf: runOfPath,
    decode: (from) => decodeRecords(reader, from),
  };
}

/** A longer line is none of metrics, and trying the patterns on it would take long. */
const MAX_LINE_LENGTH = 10_000;

function readLine(line: string, patterns: readonly LinePattern[], state: RowsState): Found[] {
  if (line.length > MAX_LINE_LENGTH) return [];
  const text = stripVTControlCharacters(line);
  for (const pattern of patterns) {
    const row = pattern(text);
    if (row) return takeRow(state, row);
  }
  return [];
}
