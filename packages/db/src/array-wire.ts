/**
 * How an element travels in PostgreSQL's binary format: its type's number (`pg_type.dat`), its bytes, how to write it.
 */
interface Element<Value> {
  oid: number;
  bytes: number;
  write(buffer: Buffer, value: Value, at: number): void;
}

const HEADER_BYTES = 20;
const MS_AT_2000 = Date.UTC(2000, 0, 1);

export const INT4: Element<number> = {
  oid: 23,
  bytes: 4,
  write: (buffer, value, at) => buffer.writeInt32BE(value, at),
};
export const INT8: Element<number> = { oid: 20, bytes: 8, write: writeInt64 };
export const FLOAT4: Element<number> = {
  oid: 700,
  bytes: 4,
  write: (buffer, value, at) => buffer.writeFloatBE(value, at),
};
export const FLOAT8: Element<number> = {
  oid: 701,
  bytes: 8,
  write: (buffer, value, at) => buffer.writeDoubleBE(value, at),
};
/** From milliseconds since 1970; there it is microseconds since 2000. */
export const TIMESTAMPTZ: Element<number> = {
  oid: 1184,
  bytes: 8,
  write: (buffer, value, at) => writeInt64(buffer, (Math.round(value) - MS_AT_2000) * 1000, at),
};
export const UUID: Element<string> = { oid: 2950, bytes: 16, write: writeUuid };

/**
 * A one-dimensional array as a parameter in PostgreSQL's binary format (`array_recv` in `arrayfuncs.c`): number of
 * dimensions, whether there are nulls, type, length, lower bound, then each element's size, or −1 for null, and bytes.
 */
export function arrayOf<Value>(type: Element<Value>, values: readonly (Value | null | undefined)[]): Buffer {
  return arrayFrom(type, values, (value) => value);
}

/** The same of what is read from each row, without an array of that in between. */
export function arrayFrom<Row, Value>(
  type: Element<Value>,
  rows: readonly Row[],
  read: (row: Row) => Value | null | undefined,
): Buffer {
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + rows.length * (4 + type.bytes));
  let [at, nulls] = [HEADER_BYTES, 0];
  for (const row of rows) {
    const value = read(row);
    if (value == null) {
      nulls += 1;
      at = buffer.writeInt32BE(-1, at);
    } else {
      buffer.writeInt32BE(type.bytes, at);
      type.write(buffer, value, at + 4);
      at += 4 + type.bytes;
    }
  }
  writeHeader(buffer, type.oid, rows.length, nulls > 0);
  return buffer.subarray(0, at);
}

function writeHeader(buffer: Buffer, oid: number, length: number, hasNulls: boolean): void {
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(hasNulls ? 1 : 0, 4);
  buffer.writeInt32BE(oid, 8);
  buffer.writeInt32BE(length, 12);
  buffer.writeInt32BE(1, 16);
}

/** Exact for safe integers, without a bigint for each. */
function writeInt64(buffer: Buffer, value: number, at: number): void {
  const high = Math.floor(value / 2 ** 32);
  buffer.writeInt32BE(high, at);
  buffer.writeUInt32BE(value - high * 2 ** 32, at + 4);
}

let lastUuid = { text: '', bytes: Buffer.alloc(16) };

/** Rows of one run follow each other, so its id is mostly the one that was written before. */
function writeUuid(buffer: Buffer, text: string, at: number): void {
  if (text !== lastUuid.text) lastUuid = { text, bytes: Buffer.from(text.replaceAll('-', ''), 'hex') };
  lastUuid.bytes.copy(buffer, at);
}
