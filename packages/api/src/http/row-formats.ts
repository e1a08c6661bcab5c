import { jsonNumber } from '@evenkeel/protocol';
import { PARQUET_TYPE, writeParquet } from './parquet.ts';
import type { StepTable, TableValue } from './step-table.ts';

/** How a table of steps is written. */
interface RowFormat {
  /** For the header `Content-Type`. */
  type: string;
  /** In pieces, the first once the first chunk has been read, however far its first row is. */
  write(table: StepTable): AsyncGenerator<string | Uint8Array>;
}

/** A row as text. */
interface LineFormat {
  /** The first line, where the format has one that names the columns. */
  head(names: readonly string[]): string;
  /** A writer of rows, which has their names. */
  writer(names: readonly string[]): (values: readonly TableValue[]) => string;
}

/** Characters after which a piece of text is handed on. */
const PIECE_LENGTH = 65_536;

/** A JSON object per line, without what a row does not carry; NaN and infinities are text, as on the wire. */
const ndjson: LineFormat = {
  head: () => '',
  writer(names) {
    const keys = names.map((name) => `${JSON.stringify(name)}:`);
    return (values) => {
      let line = '';
      for (const [at, value] of values.entries()) {
        if (value !== null) line += `${line && ','}${keys[at]}${jsonOf(value)}`;
      }
      return `{${line}}\n`;
    };
  },
};

/** RFC 4180, with a line feed alone; what a row does not carry is empty, an array is JSON. */
const csv: LineFormat = {
  head: (names) => `${names.map(quoted).join(',')}\n`,
  writer: () => (values) => `${values.map(cellOf).join(',')}\n`,
};

/** By what a request calls them. */
export const ROW_FORMATS = {
  ndjson: { type: 'application/x-ndjson', write: (table) => writeLines(table, ndjson) },
  csv: { type: 'text/csv; charset=utf-8; header=present', write: (table) => writeLines(table, csv) },
  parquet: { type: PARQUET_TYPE, write: (table) => writeParquet(table) },
} satisfies Record<string, RowFormat>;

async function* writeLines({ columns, chunks }: StepTable, format: LineFormat): AsyncGenerator<string> {
  const names = columns.map(({ name }) => name);
  const write = format.writer(names);
  let piece = format.head(names);
  for await (const rows of chunks) {
    for (const row of rows) {
      piece += write(row);
      if (piece.length < PIECE_LENGTH) continue;
      yield piece;
      piece = '';
    }
    yield piece;
    piece = '';
  }
  if (piece) yield piece;
}

function jsonOf(value: number | number[]): string {
  return Array.isArray(value) ? `[${value.map(jsonOf).join(',')}]` : numberOr(value, JSON.stringify(jsonNumber(value)));
}

function cellOf(value: TableValue): string {
  if (value === null) return '';
  return Array.isArray(value) ? quoted(jsonOf(value)) : numberOr(value, String(value));
}

/** JavaScript writes -0 as 0. */
function numberOr(value: number, text: string): string {
  return Object.is(value, -0) ? '-0.0' : text;
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
