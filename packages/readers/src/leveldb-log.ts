import { crc32 } from 'node:zlib';
import { ByteQueue } from './byte-queue.ts';
import type { Position } from './format.ts';
import type { Losses } from './losses.ts';
import { MAX_RECORD_BYTES, type RecordCutter } from './record-decoder.ts';

// The log format of LevelDB, with two differences: the file begins with a header of its own, and the checksum is the
// unmasked CRC-32 of zip files. A block holds fragments of records; a record may go on in the next block.
const BLOCK_BYTES = 32_768;
const FILE_HEAD_BYTES = 7;
/** Checksum of the rest of the head's last byte and the data (uint32), length of the data (uint16), type (uint8). */
const HEAD_BYTES = 7;
const FULL = 1;
const FIRST = 2;
const LAST = 4;

/** Cuts the files of W&B and SwanLab into records. Behind damage it goes on with the next block. */
export class LevelDbLog implements RecordCutter {
  readonly #queue = new ByteQueue();
  readonly #losses: Losses;
  /** Where the next byte of the queue is in the file. */
  #at: number;
  /** Where the record began whose fragments are at hand. */
  #start: number;
  #fragments: Uint8Array[] | null = null;
  #fragmentBytes = 0;

  constructor(losses: Losses, from: Position | null) {
    this.#losses = losses;
    this.#at = from?.bytes ?? 0;
    this.#start = this.#at;
  }

  get position(): Position {
    return { bytes: this.#start };
  }

  push(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  next(): Uint8Array | null {
    for (;;) {
      const fragment = this.#nextFragment();
      if (!fragment) return null;
      const record = this.#join(fragment);
      if (!this.#fragments) this.#start = this.#at;
      if (record) return record;
    }
  }

  end(): void {
    this.#dropFragments('the last record is incomplete');
    if (this.#queue.length > 0) this.#losses.add('bytes', 'the last record is incomplete', this.#queue.length);
    this.#take(this.#queue.length);
    this.#start = this.#at;
  }

  #nextFragment(): Fragment | null {
    for (;;) {
      if (!this.#skipPadding()) return null;
      const head = this.#queue.peek(HEAD_BYTES);
      if (!head) return null;
      const length = (head[4] as number) | ((head[5] as number) << 8);
      const left = this.#leftInBlock();
      if (HEAD_BYTES + length > left) {
        if (!this.#skipBlock()) return null;
        continue;
      }
      const bytes = this.#queue.peek(HEAD_BYTES + length);
      if (!bytes) return null;
      if (crc32(bytes.subarray(6)) === uint32At(bytes)) {
        this.#take(bytes.length);
        return { type: bytes[6] as number, data: bytes.subarray(HEAD_BYTES) };
      }
      if (!this.#skipBlock()) return null;
    }
  }

  /** The file's head and the zeros at the end of a block. @returns false where more must come first. */
  #skipPadding(): boolean {
    const left = this.#leftInBlock();
    const padding = this.#at < FILE_HEAD_BYTES ? FILE_HEAD_BYTES - this.#at : left < HEAD_BYTES ? left : 0;
    if (padding > this.#queue.length) return false;
    this.#take(padding);
    if (padding > 0 && !this.#fragments) this.#start = this.#at;
    return true;
  }

  /** A damaged length looks like damaged data, so the rest of the block is lost. @returns false to wait for it. */
  #skipBlock(): boolean {
    const left = this.#leftInBlock();
    if (left > this.#queue.length) return false;
    this.#dropFragments('a part of them is damaged');
    this.#losses.add('bytes', 'they are damaged, or follow damage in their block', left);
    this.#take(left);
    this.#start = this.#at;
    return true;
  }

  #join({ type, data }: Fragment): Uint8Array | null {
    if (type === FULL || type === FIRST) {
      this.#dropFragments('a part of them is missing');
      if (type === FULL) return data;
      this.#fragments = [data];
      this.#fragmentBytes = data.length;
      return null;
    }
    if (!this.#fragments) {
      this.#losses.add('bytes', 'their record has no beginning', HEAD_BYTES + data.length);
      return null;
    }
    this.#fragments.push(data);
    this.#fragmentBytes += data.length;
    if (this.#fragmentBytes > MAX_RECORD_BYTES) this.#dropFragments(`longer than ${MAX_RECORD_BYTES} bytes`);
    else if (type === LAST) {
      const record = Buffer.concat(this.#fragments);
      this.#fragments = null;
      return record;
    }
    return null;
  }

  #dropFragments(reason: string): void {
    if (this.#fragments) this.#losses.add('records', reason);
    this.#fragments = null;
  }

  #leftInBlock(): number {
    return BLOCK_BYTES - (this.#at % BLOCK_BYTES);
  }

  #take(count: number): void {
    this.#queue.skip(count);
    this.#at += count;
  }
}

interface Fragment {
  type: number;
  data: Uint8Array;
}

function uint32At(bytes: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
}
