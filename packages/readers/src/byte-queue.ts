/** Bytes that came in chunks of any size, read from the front. It keeps the chunks: whoever pushes one leaves it alone. */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that are read. */
  #at = 0;
  #length = 0;

  /** Bytes that are not read yet. */
  get length(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(plain(bytes));
    this.#length += bytes.length;
  }

  /** Where the next bytes are; what {@link has} has confirmed lies there in one piece, until they are skipped. */
  get bytes(): Uint8Array {
    return this.#chunks[0] ?? NOTHING;
  }

  /** Where in {@link bytes} the next byte is. */
  get at(): number {
    return this.#at;
  }

  /** Whether there are so many bytes. */
  has(count: number): boolean {
    if (count > this.#length) return false;
    if (this.bytes.length - this.#at < count) this.#join();
    return true;
  }

  /** The next bytes, which stay; null where there are not as many yet. */
  peek(count: number): Uint8Array | null {
    return this.has(count) ? this.bytes.subarray(this.#at, this.#at + count) : null;
  }

  /** Drops the next bytes, at most as many as there are. */
  skip(count: number): void {
    let toSkip = Math.min(count, this.#length);
    this.#length -= toSkip;
    for (;;) {
      const left = (this.#chunks[0]?.length ?? 0) - this.#at;
      if (toSkip < left || this.#chunks.length === 0) break;
      toSkip -= left;
      this.#chunks.shift();
      this.#at = 0;
    }
    this.#at += toSkip;
  }

  #join(): void {
    const [first = NOTHING, ...others] = this.#chunks;
    this.#chunks = [plain(Buffer.concat([first.subarray(this.#at), ...others]))];
    this.#at = 0;
  }
}

const NOTHING = new Uint8Array();

/** The same bytes without Buffer's slower `subarray`. */
function plain({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
