import type { z } from 'zod';
import type { FileDecoder, Found, Position } from '../format.ts';

/** Bytes of one record; a longer one is given up, so that a file of another kind cannot fill the memory. */
const MAX_RECORD_BYTES = 4 * 1024 * 1024;

/** What a text format makes of its records: lines, as a rule. */
export interface RecordReader<State> {
  /** What it must remember of the records before. */
  state: z.ZodType<State>;
  start: () => State;
  /** Where the last whole record of some bytes ends; 0 where none does. */
  endOf: (bytes: Uint8Array) => number;
  /** Reads whole records, the last of which may lack its line feed, and changes the state. */
  read: (text: string, state: State) => Found[];
}

/** Where the last whole line ends. */
export function endOfLines(bytes: Uint8Array): number {
  return bytes.lastIndexOf(LINE_FEED) + 1;
}

/** `\n` */
export const LINE_FEED = 0x0a;

/** Lines without their ends, and without those that are blank. */
export function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== '');
}

/**
 * A decoder of a text file. The text is UTF-8; a byte order mark is left out.
 * @throws ZodError where the state of the position is not one of this format.
 */
export function decodeRecords<State>(reader: RecordReader<State>, from: Position | null): FileDecoder {
  const state = from?.state === undefined ? reader.start() : reader.state.parse(from.state);
  let bytes = from?.bytes ?? 0;
  let rest: Uint8Array = new Uint8Array();

  const take = (length: number): Found[] => {
    const text = Buffer.from(rest.subarray(0, length)).toString('utf8');
    const found = reader.read(bytes === 0 ? text.replace(/^\uFEFF/, '') : text, state);
    bytes += length;
    rest = rest.slice(length);
    return found;
  };

  const giveUp = (): Found[] => {
    bytes += rest.length;
    rest = new Uint8Array();
    return [{ kind: 'lost', what: 'records', count: 1, reason: `longer than ${MAX_RECORD_BYTES} bytes` }];
  };

  return {
    get position() {
      return { bytes, state: structuredClone(state) };
    },
    push(more) {
      rest = rest.length === 0 ? more.slice() : Buffer.concat([rest, more]);
      const end = reader.endOf(rest);
      const found = end > 0 ? take(end) : [];
      return rest.length > MAX_RECORD_BYTES ? [...found, ...giveUp()] : found;
    },
    end: () => (rest.length > 0 ? take(rest.length) : []),
  };
}
