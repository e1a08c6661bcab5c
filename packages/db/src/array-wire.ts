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
export const UUID: Element<string> = {
  oid: 2950,
  bytes: 16,
  write: (buffer, value, at) => buffer.write(value.replaceAll('-', ''), at, 'hex'),
};

/**
 * A one-dimensional array as a parameter in PostgreSQL's binary format (`array_recv` in `arrayfuncs.c`): number of
 * dimensions, whether there are nulls, type, length, lower bound, then each element's size, or −1 for null, and bytes.
 */
export function arrayOf<Value>(type: Element<Value>, values: readonly (Value | null | undefined)[]): Buffer {
  const nulls = values.reduce<number>((count, value) => (value == null ? count + 1 : count), 0);
  const buffer = Buffer.alloc(HEADER_BYTES + values.length * (4 + type.bytes) - nulls * type.bytes);
  writeHeader(buffer, type.oid, values.length, nulls > 0);
  let at = HEADER_BYTES;
  for (const value of values) {
    at = buffer.writeInt32BE(value == null ? -1 : type.bytes, at);
    if (value == null) continue;
    type.write(buffer, value, at);
    at += type.bytes;
  }
  return buffer;
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
