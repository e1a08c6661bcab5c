import { BinaryReader, type WireType } from '@bufbuild/protobuf/wire';

// Wire types of Protocol Buffers: https://protobuf.dev/programming-guides/encoding/
const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** The tag of a field that holds an int32, int64, enum or bool. */
export const varint = (field: number): number => (field << 3) | VARINT;
/** The tag of a field that holds a double. */
export const fixed64 = (field: number): number => (field << 3) | FIXED64;
/** The tag of a field that holds a text, bytes, a message, or packed numbers. */
export const delimited = (field: number): number => (field << 3) | DELIMITED;
/** The tag of a field that holds a float. */
export const fixed32 = (field: number): number => (field << 3) | FIXED32;

/** Gets the tag of a field, and reads its value from the reader; false where it leaves it alone. */
export type Visit = (tag: number, reader: BinaryReader) => boolean;

/**
 * Reads the fields of a message in order.
 * @returns the reader, for a nested message that was left alone: set its position to where that begins.
 * @throws an Error where the bytes are no message; so do the others.
 */
export function readMessage(bytes: Uint8Array, visit: Visit): BinaryReader {
  const reader = new BinaryReader(bytes);
  readFields(reader, reader.len, visit);
  return reader;
}

/** Reads the fields of a message that is the value of a field: it makes no copy and no reader of its own. */
export function readNested(reader: BinaryReader, visit: Visit): void {
  const length = reader.uint32();
  readFields(reader, reader.pos + length, visit);
}

function readFields(reader: BinaryReader, end: number, visit: Visit): void {
  if (end > reader.len) throw new RangeError('a field goes beyond its message');
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (!visit(tag, reader)) reader.skip((tag & 7) as WireType, tag >>> 3);
  }
  if (reader.pos > end) throw new RangeError('a field goes beyond its message');
}

/** An int64, which is rounded beyond 2^53. */
export function readInt64(reader: BinaryReader): number {
  return Number(reader.int64());
}

/** A `google.protobuf.Timestamp`: seconds (1) and nanoseconds (2), as milliseconds since 1970. */
export function readTimestamp(bytes: Uint8Array): number {
  let seconds = 0;
  let nanos = 0;
  readMessage(bytes, (tag, reader) => {
    if (tag === varint(1)) seconds = readInt64(reader);
    else if (tag === varint(2)) nanos = reader.int32();
    else return false;
    return true;
  });
  return Math.round(seconds * 1_000 + nanos / 1e6);
}
