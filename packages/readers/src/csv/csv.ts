import { targetOf } from '@evenkeel/protocol';
import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import type { FileFormat, Found } from '../format.ts';
import { setValue } from '../set-value.ts';
import { decodeRecords, endOfLines, LINE_FEED, linesOf, type RecordReader } from '../text/records.ts';
import { absoluteTime, dateTime, noRows, numberOf, rowsState, stepNameOf, takeRow, timeNameOf } from '../text/rows.ts';
import { runOfPath } from '../text/run-of-path.ts';

const QUOTE = 0x22;

const state = z.object({
  /** Names of the columns; null before the first record. */
  header: z.array(z.string()).nullable(),
  delimiter: z.string(),
  rows: rowsState,
});
type State = z.infer<typeof state>;

const reader: RecordReader<State> = {
  state,
  start: () => ({ header: null, delimiter: ',', rows: noRows() }),
  endOf: endOfRecords,
  read(text, state) {
    if (!state.header) state.delimiter = delimiterOf(text);
    return recordsOf(text).flatMap((record) => readRecord(cellsOf(record, state.delimiter), state));
  },
};

/**
 * Tables of comma-separated values, such as `metrics.csv` of Lightning's CSVLogger: a header, then a row for each report,
 * whose empty cells were not reported. Semicolons and tabs separate too.
 */
export const csv: FileFormat = {
  name: 'csv',
  matches: (path, head) => /\.(csv|tsv)$/i.test(path) && hasMetrics(Buffer.from(head).toString('utf8')),
  runOf: runOfPath,
  decode: (from) => decodeRecords(reader, from),
};

/** Whether the header names a step or a metric that Evenkeel knows: other tables are not of training. */
function hasMetrics(head: string): boolean {
  const line = head.replace(/^\uFEFF/, '').split(/\r?\n/, 1)[0] ?? '';
  const names = cellsOf(line, delimiterOf(line)) ?? [];
  return stepNameOf(names) !== undefined || names.some((name) => targetOf(name) !== null);
}

/** Where the last line ends that no quoted cell goes on from. */
function endOfRecords(bytes: Uint8Array): number {
  if (!bytes.includes(QUOTE)) return endOfLines(bytes);
  let end = 0;
  let isQuoted = false;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === QUOTE) isQuoted = !isQuoted;
    else if (bytes[at] === LINE_FEED && !isQuoted) end = at + 1;
  }
  return end;
}

function delimiterOf(text: string): string {
  const line = text.split('\n', 1)[0] ?? '';
  const uses = (delimiter: string) => line.split(delimiter).length;
  return [';', '\t'].reduce((best, each) => (uses(each) > uses(best) ? each : best), ',');
}

/** Lines, joined where a quoted cell goes on in the next one; without those that are blank. */
function recordsOf(text: string): string[] {
  if (!text.includes('"')) return linesOf(text);
  const records: string[] = [];
  let open: string[] = [];
  let isQuoted = false;
  for (const line of text.split('\n')) {
    open.push(line);
    if (line.split('"').length % 2 === 0) isQuoted = !isQuoted;
    if (isQuoted) continue;
    records.push(open.join('\n'));
    open = [];
  }
  return [...records, open.join('\n')].filter((record) => record.trim() !== '');
}

/** The cells of a record; null where its quotes do not match. */
function cellsOf(record: string, delimiter: string): string[] | null {
  if (!record.includes('"')) return record.split(delimiter).map((cell) => cell.trim());
  try {
    const records: string[][] = parse(record, { delimiter, relax_quotes: true, trim: true });
    return records.length === 1 ? (records[0] ?? null) : null;
  } catch {
    return null;
  }
}

function readRecord(cells: string[] | null, state: State): Found[] {
  if (!cells) return [{ kind: 'lost', what: 'records', count: 1, reason: 'their quotes do not match' }];
  if (!state.header) {
    const isHeader = cells.some((cell) => cell !== '' && numberOf(cell) === null);
    state.header = isHeader ? cells : cells.map((_, at) => `column ${at + 1}`);
    if (isHeader) return [];
  }
  const { header, rows } = state;
  // A job that was started again may write its header again.
  if (cells.length === header.length && cells.every((cell, at) => cell === header[at])) return [];
  const { lost, ...row } = rowOf(cells, header);
  const found = takeRow(rows, row);
  return lost === 0 ? found : [...found, { kind: 'lost', what: 'cells', count: lost, reason: 'not a number' }];
}

function rowOf(cells: readonly string[], header: readonly string[]) {
  const row = {
    step: null as number | null,
    time: null as number | null,
    values: {} as Record<string, number>,
    lost: 0,
  };
  const stepName = stepNameOf(header);
  const timeName = timeNameOf(header);
  for (const [at, name] of header.entries()) {
    const cell = cells[at] ?? '';
    if (cell === '' || name === '') continue;
    const value = numberOf(cell);
    if (name === timeName) row.time = value === null ? dateTime(cell) : absoluteTime(value);
    if (name === stepName && value !== null) row.step = value;
    else if (value === null) row.lost += name === timeName && row.time !== null ? 0 : 1;
    else if (name !== timeName || row.time === null) setValue(row.values, name, value);
  }
  return row;
}
