import { arrayBytes, type Element, writeArray } from './array-wire.ts';

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Behind the signature: no flags, and no extension of the header. */
const HEADER_BYTES = SIGNATURE.length + 8;
const TRAILER_BYTES = 2;
const NULL = -1;

/** A column of a table, and how to write it from a row. */
export interface CopyColumn<Row> {
  name: string;
  /** The bytes that the values of rows take at most, with the length before each. */
  maxBytes: (rows: readonly Row[]) => number;
  /** Writes the value of a row, with its length before it, and returns where the next value begins. */
  write: (buffer: Buffer, row: Row, at: number) => number;
}

/** A column of single values; null and undefined become null. */
export function valueColumn<Row, Value>(
  name: string,
  type: Element<Value>,
  read: (row: Row) => Value | null | undefined,
): CopyColumn<Row> {
  return {
    name,
    maxBytes: ({ length }) => length * (4 + type.bytes),
    write: (buffer, row, at) => {
      const value = read(row);
      if (value == null) return buffer.writeInt32BE(NULL, at);
      buffer.writeInt32BE(type.bytes, at);
      type.write(buffer, value, at + 4);
      return at + 4 + type.bytes;
    },
  };
}

/** A column of arrays, likewise. */
export function arrayColumn<Row>(
  name: string,
  type: Element<number>,
  read: (row: Row) => readonly number[] | null | undefined,
): CopyColumn<Row> {
  return {
    name,
    maxBytes: (rows) => rows.reduce((sum, row) => sum + 4 + arrayBytes(type, read(row)?.length ?? 0), 0),
    write: (buffer, row, at) => {
      const values = read(row);
      if (values == null) return buffer.writeInt32BE(NULL, at);
      const end = writeArray(buffer, type, values, at + 4);
      buffer.writeInt32BE(end - at - 4, at);
      return end;
    },
  };
}

/** Rows in the binary format of COPY, as PostgreSQL's documentation of that command describes it. */
export function copyRows<Row>(rows: readonly Row[], columns: readonly CopyColumn<Row>[]): Buffer {
  const valueBytes = columns.reduce((sum, { maxBytes }) => sum + maxBytes(rows), 0);
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + 2 * rows.length + valueBytes + TRAILER_BYTES);
  SIGNATURE.copy(buffer);
  buffer.fill(0, SIGNATURE.length, HEADER_BYTES);
  let at = HEADER_BYTES;
  for (const row of rows) {
    at = buffer.writeInt16BE(columns.length, at);
    for (const { write } of columns) at = write(buffer, row, at);
  }
  return buffer.subarray(0, buffer.writeInt16BE(-1, at));
}
