import { maskedCrc32c } from '../tensorboard/crc32c.ts';

/** Longer than any record here. */
const MAX_RECORD_BYTES = 256;
const CHUNK_BYTES = 64 * 1024;
const VERSION = 'brain.Event:2';

/**
 * An event file as torch's SummaryWriter writes it: a record for each scalar, step after step, each step with every tag.
 * @param bytes about how long it is.
 * @param tags of at most 100 characters of ASCII.
 * @param startedAt seconds since 1970; there is a step each tenth of a second.
 */
export function* eventFile(bytes: number, tags: readonly string[], startedAt: number): Generator<Buffer> {
  const chunk = new RecordChunk();
  chunk.add((event) => writeVersion(event, startedAt));
  for (let step = 0, written = 0; written < bytes; step++) {
    for (const [at, tag] of tags.entries()) {
      chunk.add((event) => writeScalar(event, { time: startedAt + step / 10, step, tag, value: at + Math.sin(step) }));
    }
    if (!chunk.isFull) continue;
    const full = chunk.take();
    written += full.length;
    yield full;
  }
  yield chunk.take();
}

/** Records together: length, checksum of the length, data, checksum of the data, all little-endian. */
class RecordChunk {
  #bytes = Buffer.alloc(2 * CHUNK_BYTES);
  #length = 0;

  get isFull(): boolean {
    return this.#length > CHUNK_BYTES;
  }

  /** @param write writes the data to a buffer and returns its length. */
  add(write: (data: Buffer) => number): void {
    if (this.#length + MAX_RECORD_BYTES > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    const from = this.#length;
    const data = from + 12;
    const length = write(this.#bytes.subarray(data, from + MAX_RECORD_BYTES));
    this.#bytes.writeUInt32LE(length, from);
    this.#bytes.writeUInt32LE(0, from + 4);
    this.#bytes.writeUInt32LE(maskedCrc32c(this.#bytes, from, from + 8), from + 8);
    this.#bytes.writeUInt32LE(maskedCrc32c(this.#bytes, data, data + length), data + length);
    this.#length = data + length + 4;
  }

  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }
}

// Tags of fields as protobuf writes them: number << 3 | wire type.

/** Event { wall_time (1), file_version (3) } */
function writeVersion(event: Buffer, time: number): number {
  const at = writeTime(event, time);
  event.writeUInt8((3 << 3) | 2, at);
  event.writeUInt8(VERSION.length, at + 1);
  return at + 2 + event.write(VERSION, at + 2, 'latin1');
}

interface Scalar {
  time: number;
  step: number;
  tag: string;
  value: number;
}

/** Event { wall_time (1), step (2), summary (5) { value (1) { tag (1), simple_value (2) } } } */
function writeScalar(event: Buffer, { time, step, tag, value }: Scalar): number {
  let at = writeTime(event, time);
  at = event.writeUInt8(2 << 3, at);
  at = writeVarint(event, step, at);
  const valueLength = 2 + tag.length + 5;
  at = event.writeUInt8((5 << 3) | 2, at);
  at = event.writeUInt8(2 + valueLength, at);
  at = event.writeUInt8((1 << 3) | 2, at);
  at = event.writeUInt8(valueLength, at);
  at = event.writeUInt8((1 << 3) | 2, at);
  at = event.writeUInt8(tag.length, at);
  at += event.write(tag, at, 'latin1');
  at = event.writeUInt8((2 << 3) | 5, at);
  return event.writeFloatLE(value, at);
}

function writeTime(event: Buffer, time: number): number {
  event.writeUInt8((1 << 3) | 1, 0);
  return event.writeDoubleLE(time, 1);
}

function writeVarint(event: Buffer, value: number, from: number): number {
  let at = from;
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) at = event.writeUInt8((rest % 0x80) | 0x80, at);
  return event.writeUInt8(rest, at);
}
