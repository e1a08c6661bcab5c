import { readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { MAX_FRAME_BYTES } from '@evenkeel/protocol';

// A spool file is a row of records, each
//   u32 magic, u8 type, u32 length of the payload, u32 steps in it, f64 steps in the file before it, u32 CRC-32, payload
// in little-endian order. The checksum is of what stands between the magic and itself, and of the payload. A file begins
// with the record of its run's start.

const MAGIC = Buffer.from('EKSR');
const HEADER_BYTES = 25;
const CRC_AT = 21;

const TYPES = { start: 1, steps: 2, finish: 3, dropped: 4 } as const;
type RecordType = keyof typeof TYPES;
const TYPE_NAMES = new Map<number, RecordType>(Object.entries(TYPES).map(([name, code]) => [code, name as RecordType]));

export interface SpoolRecord {
  type: RecordType;
  /** Of `steps` a frame of the codec; of the others JSON. */
  payload: Buffer;
  /** Steps in it. */
  count: number;
  /** Steps in the file before it. */
  before: number;
}

/** The header of a record, which stands in front of its payload. */
export function recordHeader({ type, payload, count, before }: SpoolRecord): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt8(TYPES[type], 4);
  header.writeUInt32LE(payload.byteLength, 5);
  header.writeUInt32LE(count, 9);
  header.writeDoubleLE(before, 13);
  header.writeUInt32LE(checksum(header, payload), CRC_AT);
  return header;
}

function checksum(header: Buffer, payload: Buffer): number {
  return crc32(payload, crc32(header.subarray(MAGIC.length, CRC_AT)));
}

/** How much is looked through at once for the next record behind damage. */
const SCAN_BYTES = 64 * 1024;

/**
 * Reads the records of a file, one at a time. What cannot be read is passed over: the torn last record of a process that
 * was killed, and damage in the middle, behind which the next whole record is looked for.
 */
export class SpoolReader {
  readonly #fd: number;
  #at: number;
  /** Steps that the records read so far say there are in the file. */
  #known = 0;
  #lost = 0;
  #damaged = 0;

  /** @param from where in the file a record begins. */
  constructor(fd: number, from = 0, known = 0) {
    this.#fd = fd;
    this.#at = from;
    this.#known = known;
  }

  /** Where the next record begins. */
  get position(): number {
    return this.#at;
  }

  /** Steps that damage has cost; those of damaged records at the end of the file are not known. */
  get lost(): number {
    return this.#lost;
  }

  /** Bytes that were passed over. */
  get damaged(): number {
    return this.#damaged;
  }

  /** The next whole record; null at the end. */
  next(): SpoolRecord | null {
    const record = this.#readAt(this.#at) ?? this.#readBehindDamage();
    if (!record) return null;
    this.#at += HEADER_BYTES + record.payload.byteLength;
    this.#lost += Math.max(0, record.before - this.#known);
    this.#known = record.before + record.count;
    return record;
  }

  #readBehindDamage(): SpoolRecord | null {
    const began = this.#at;
    for (let at = this.#findMagic(began + 1); at !== null; at = this.#findMagic(at + 1)) {
      const record = this.#readAt(at);
      if (!record) continue;
      this.#damaged += at - began;
      this.#at = at;
      return record;
    }
    return null;
  }

  #readAt(at: number): SpoolRecord | null {
    const header = this.#bytes(at, HEADER_BYTES);
    if (header.byteLength < HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC)) return null;
    const type = TYPE_NAMES.get(header.readUInt8(4));
    const length = header.readUInt32LE(5);
    if (!type || length > MAX_FRAME_BYTES) return null;
    const payload = this.#bytes(at + HEADER_BYTES, length);
    if (payload.byteLength < length || checksum(header, payload) !== header.readUInt32LE(CRC_AT)) return null;
    return { type, payload, count: header.readUInt32LE(9), before: header.readDoubleLE(13) };
  }

  /** Where the next magic stands from a place on. */
  #findMagic(from: number): number | null {
    for (let at = from; ; at += SCAN_BYTES) {
      const bytes = this.#bytes(at, SCAN_BYTES + MAGIC.length - 1);
      const found = bytes.indexOf(MAGIC);
      if (found >= 0) return at + found;
      if (bytes.byteLength < SCAN_BYTES) return null;
    }
  }

  #bytes(at: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    let read = 0;
    while (read < length) {
      const more = readSync(this.#fd, bytes, read, length - read, at + read);
      if (more === 0) break;
      read += more;
    }
    return bytes.subarray(0, read);
  }
}
