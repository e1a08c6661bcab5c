/**
 * How an element travels in PostgreSQL's binary format: its type's number (`pg_type.dat`), its bytes, how to write it.
 */
export interface Element<Value> {
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
  const buffer = Buffer.allocUnsafe(arrayBytes(type, rows.length));
  let [at, nulls] = [HEADER_BYTES, 0];
  for (const row of rows) {
    const value = read(row);
    if (value == null) {
      nulls += 1;
      at = buffer.writeInt32BE(-1, at);
    } else {
      at = writeElement(buffer, type, value, at);
    }
  }
  writeHeader(buffer, type.oid, rows.length, { hasNulls: nulls > 0, at: 0 });
  return buffer.subarray(0, at);
}

/** The bytes of an array without nulls. */
export function arrayBytes({ bytes }: { bytes: number }, length: number): number {
  return HEADER_BYTES + length * (4 + bytes);
}

/** Writes an array without nulls, and returns where it ends. */
export function writeArray<Value>(buffer: Buffer, type: Element<Value>, values: readonly Value[], at: number): number {
  writeHeader(buffer, type.oid, values.length, { hasNulls: false, at });
  let end = at + HEADER_BYTES;
  for (const value of values) end = writeElement(buffer, type, value, end);
  return end;
}

function writeElement<Value>(buffer: Buffer, { bytes, write }: Element<Value>, value: Value, at: number): number {
  buffer.writeInt32BE(bytes, at);
  write(buffer, value, at + 4);
  return at + 4 + bytes;
}

function writeHeader(
  buffer: Buffer,
  oid: number,
  length: number,
  { hasNulls, at }: { hasNulls: boolean; at: number },
): void {
  buffer.writeInt32BE(1, at);
  buffer.writeInt32BE(hasNulls ? 1 : 0, at + 4);
  buffer.writeInt32BE(oid, at + 8);
  buffer.writeInt32BE(length, at + 12);
  buffer.writeInt32BE(1, at + 16);
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
