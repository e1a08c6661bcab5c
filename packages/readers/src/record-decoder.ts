import { z } from 'zod';
import type { FileDecoder, Found, Position } from './format.ts';
import type { Losses } from './losses.ts';

/** A record longer than this is none of numbers: it is skipped, so that a damaged length cannot fill the memory. */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** Cuts a file into its records. What it cannot cut goes to its losses. */
export interface RecordCutter {
  /** The end of the last whole record, and what must be remembered of the framing. */
  readonly position: Position;
  push(bytes: Uint8Array): void;
  /** The next record; null where the rest of it is not there yet. */
  next(): Uint8Array | null;
  /** No more comes: counts what is left. */
  end(): void;
}

/** Adds what a record means to what is found. It may throw at one that is damaged. */
export interface RecordReader {
  /** What it must remember, as JSON. */
  readonly state?: unknown;
  read(record: Uint8Array, found: Found[]): void;
}

interface DecoderState {
  records: unknown;
  reader: unknown;
}

/** A position of a {@link RecordDecoder} as its two parts get it. */
export function partsOf(from: Position | null): { records: Position | null; reader: unknown } {
  const state = z.object({ records: z.unknown().optional(), reader: z.unknown().optional() }).parse(from?.state ?? {});
  return { records: from && { bytes: from.bytes, state: state.records }, reader: state.reader };
}

/** The decoder of a file of records. */
export class RecordDecoder implements FileDecoder {
  readonly #cutter: RecordCutter;
  readonly #reader: RecordReader;
  readonly #losses: Losses;

  /** @param losses also those of the cutter and of the reader. */
  constructor(cutter: RecordCutter, reader: RecordReader, losses: Losses) {
    this.#cutter = cutter;
    this.#reader = reader;
    this.#losses = losses;
  }

  get position(): Position {
    const { bytes, state } = this.#cutter.position;
    return { bytes, state: { records: state, reader: this.#reader.state } satisfies DecoderState };
  }

  push(bytes: Uint8Array): Found[] {
    this.#cutter.push(bytes);
    return this.#readAll();
  }

  end(): Found[] {
    const found = this.#readAll();
    this.#cutter.end();
    found.push(...this.#losses.take());
    return found;
  }

  #readAll(): Found[] {
    const found: Found[] = [];
    for (let record = this.#cutter.next(); record !== null; record = this.#cutter.next()) {
      try {
        this.#reader.read(record, found);
      } catch {
        this.#losses.add('records', 'their contents are damaged');
      }
    }
    found.push(...this.#losses.take());
    return found;
  }
}
