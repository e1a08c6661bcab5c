import { z } from 'zod';
import { ByteQueue } from '../byte-queue.ts';
import type { Position } from '../format.ts';
import type { Losses } from '../losses.ts';
import { MAX_RECORD_BYTES, type RecordCutter } from '../record-decoder.ts';
import { maskedCrc32c } from './crc32c.ts';

/** Length (uint64) and its checksum before the data, the checksum of the data after it; all little-endian. */
const HEAD_BYTES = 12;
const TAIL_BYTES = 4;

const stateSchema = z.object({ isCut: z.boolean().default(false), toSkip: z.number().min(0).default(0) });

/** Cuts an event file into its records. A damaged record is skipped; where its length is damaged, so is all behind it. */
export class EventRecords implements RecordCutter {
  readonly #queue = new ByteQueue();
  readonly #losses: Losses;
  #bytes: number;
  /** Bytes of a record too long to be kept that are still to come. */
  #toSkip: number;
  /** Whether the length of a record was damaged: nothing behind it can be read. */
  #isCut: boolean;

  constructor(losses: Losses, from: Position | null) {
    this.#losses = losses;
    this.#bytes = from?.bytes ?? 0;
    const { isCut, toSkip } = stateSchema.parse(from?.state ?? {});
    this.#isCut = isCut;
    this.#toSkip = toSkip;
  }

  get position(): Position {
    const state = { isCut: this.#isCut, toSkip: this.#toSkip };
    return { bytes: this.#bytes, state };
  }

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  next(): Uint8Array | null {
    while (!this.#isCut && this.#skipped()) {
      if (!this.#queue.has(HEAD_BYTES)) return null;
      const length = lengthAt(this.#queue.bytes, this.#queue.at);
      if (length === null) this.#isCut = true;
      else if (length > MAX_RECORD_BYTES) this.#skipRecord(length);
      else {
        if (!this.#queue.has(HEAD_BYTES + length + TAIL_BYTES)) return null;
        const data = dataAt(this.#queue.bytes, this.#queue.at + HEAD_BYTES, length);
        this.#take(HEAD_BYTES + length + TAIL_BYTES);
        if (data) return data;
        this.#losses.add('records', 'their checksum is wrong');
      }
    }
    if (this.#isCut) this.#drop('they follow a damaged record');
    return null;
  }

  end(): void {
    this.#drop('the last record is incomplete');
  }

  #take(count: number): void {
    this.#queue.skip(count);
    this.#bytes += count;
  }

  #skipRecord(length: number): void {
    this.#losses.add('records', `longer than ${MAX_RECORD_BYTES} bytes`);
    this.#toSkip = HEAD_BYTES + length + TAIL_BYTES;
  }

  /** @returns false where more of a long record is to come. */
  #skipped(): boolean {
    const count = Math.min(this.#toSkip, this.#queue.length);
    this.#take(count);
    this.#toSkip -= count;
    return this.#toSkip === 0;
  }

  #drop(reason: string): void {
    if (this.#queue.length > 0) this.#losses.add('bytes', reason, this.#queue.length);
    this.#take(this.#queue.length);
  }
}

/** The length of the record that begins there; null where its checksum does not fit it. */
function lengthAt(bytes: Uint8Array, at: number): number | null {
  if (uint32At(bytes, at + 8) !== maskedCrc32c(bytes, at, at + 8)) return null;
  return uint32At(bytes, at) + uint32At(bytes, at + 4) * 2 ** 32;
}

/** The data of a record; null where the checksum behind it does not fit it. */
function dataAt(bytes: Uint8Array, at: number, length: number): Uint8Array | null {
  if (uint32At(bytes, at + length) !== maskedCrc32c(bytes, at, at + length)) return null;
  return bytes.subarray(at, at + length);
}

function uint32At(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
}
