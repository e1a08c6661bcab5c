/** The largest body that is read, in bytes; a larger one has no chance at another time either. */
export const MAX_BODY_BYTES = 32 * 1024 * 1024;
/** Bytes of bodies that may be held at once. */
const MAX_HELD_BYTES = 128 * 1024 * 1024;

/** Thrown where too much is held already: to be tried again. */
export class TooManyBodiesError extends Error {}

/** Reads bodies of requests into memory, a limited number of bytes of all together. */
export class BodyReader {
  #held = 0;

  /**
   * Calls `use` with the text of a body, or with null where that is too large: it is read then and not held.
   * @throws TooManyBodiesError where too much is held for others.
   */
  async read<Result>(
    body: AsyncIterable<Uint8Array> | null,
    use: (text: string | null) => Promise<Result>,
  ): Promise<Result> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    let held = 0;
    const hold = (change: number) => {
      held += change;
      this.#held += change;
    };
    try {
      for await (const chunk of body ?? []) {
        bytes += chunk.byteLength;
        if (bytes > MAX_BODY_BYTES) {
          chunks.length = 0;
          hold(-held);
          continue;
        }
        if (this.#held + chunk.byteLength > MAX_HELD_BYTES) throw new TooManyBodiesError();
        hold(chunk.byteLength);
        chunks.push(chunk);
      }
      return await use(bytes > MAX_BODY_BYTES ? null : Buffer.concat(chunks).toString('utf8'));
    } finally {
      hold(-held);
    }
  }
}
