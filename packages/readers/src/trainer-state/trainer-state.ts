import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { z } from 'zod';
import type { FileDecoder, FileFormat, Found, Position } from '../format.ts';
import { flatNumbers, parseLooseJson } from '../text/loose-json.ts';

const NAME = 'trainer_state.json';
/** A longer file is given up: a million entries take about 100 MB. */
const MAX_BYTES = 256 * 1024 * 1024;

const content = z.object({ log_history: z.array(z.looseObject({ step: z.int() })) });
type Entry = z.infer<typeof content>['log_history'][number];

/** How many entries of the run are known, and a digest of them. */
const known = z.object({ entries: z.number(), digest: z.string() });

/**
 * `trainer_state.json`, which the Hugging Face Trainer writes whole at each checkpoint, in the checkpoint's folder, and at
 * the end. Every file of a run holds its history so far.
 */
export const trainerState: FileFormat = {
  name: 'trainer-state',
  isRewritten: true,
  matches: (path) => posix.basename(path) === NAME,
  runOf(path) {
    const folder = posix.dirname(path);
    const isCheckpoint = /^checkpoint-\d+$/.test(posix.basename(folder));
    const run = isCheckpoint ? posix.dirname(folder) : folder;
    const key = run === '.' ? '' : run;
    return { key, name: posix.basename(key) };
  },
  decode: (from) => decode(from),
};

/** @throws ZodError where the state of the position is not one of this format. */
function decode(from: Position | null): FileDecoder {
  let state = from?.state === undefined ? { entries: 0, digest: digestOf([]) } : known.parse(from.state);
  let chunks: Uint8Array[] = [];
  let size = 0;

  const read = (): Found[] | null => {
    const entries = entriesOf(Buffer.concat(chunks).toString('utf8'));
    if (!entries) return null;
    chunks = [];
    const isSame = entries.length >= state.entries && digestOf(entries.slice(0, state.entries)) === state.digest;
    const found = entries.slice(isSame ? state.entries : 0).flatMap(readEntry);
    state = { entries: entries.length, digest: digestOf(entries) };
    return isSame ? found : [{ kind: 'attempt' }, ...found];
  };

  return {
    get position() {
      return { bytes: 0, state };
    },
    push(bytes) {
      size += bytes.length;
      if (size > MAX_BYTES) chunks = [];
      else if (chunks.length > 0 || !isBlank(bytes)) chunks.push(bytes.slice());
      // It may be half written: what it holds is known once its last brace is there.
      return endsObject(bytes) ? (read() ?? []) : [];
    },
    end() {
      if (chunks.length === 0 && size <= MAX_BYTES) return [];
      const reason = size > MAX_BYTES ? `larger than ${MAX_BYTES} bytes` : 'not the state of a trainer';
      return read() ?? [{ kind: 'lost', what: 'files', count: 1, reason }];
    },
  };
}

function isBlank(bytes: Uint8Array): boolean {
  return Buffer.from(bytes).toString('latin1').trim() === '';
}

function endsObject(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(-64)).toString('latin1').trimEnd().endsWith('}');
}

function entriesOf(text: string): Entry[] | null {
  try {
    return content.parse(parseLooseJson(text)).log_history;
  } catch {
    return null;
  }
}

function digestOf(entries: readonly Entry[]): string {
  return createHash('sha256').update(JSON.stringify(entries)).digest('base64');
}

function readEntry({ step, ...more }: Entry): Found[] {
  const { values, lists } = flatNumbers(more);
  const row: Found = { kind: 'row', step, time: null, values };
  const found = Object.keys(values).length > 0 ? [row] : [];
  if (lists === 0) return found;
  return [...found, { kind: 'lost', what: 'values', count: lists, reason: 'a list has no place in a step' }];
}
