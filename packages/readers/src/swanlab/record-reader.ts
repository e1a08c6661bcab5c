import type { EndStatus } from '@evenkeel/protocol';
import type { Found, RunFacts } from '../format.ts';
import type { Losses } from '../losses.ts';
import { delimited, fixed64, readInt64, readMessage, readTimestamp, varint } from '../protobuf.ts';
import type { RecordReader } from '../record-decoder.ts';

// Field numbers of SwanLab's Record and of what is in it, as seen in the files that docs/import.md lists.
const RECORD = {
  run: delimited(10),
  finish: delimited(11),
  scalar: delimited(13),
  media: delimited(14),
  console: delimited(16),
};
const RUN = {
  project: delimited(1),
  name: delimited(4),
  description: delimited(5),
  tag: delimited(6),
  id: delimited(10),
  start: delimited(12),
};
const FINISH = { state: varint(1), error: delimited(2), time: delimited(3) };
const SCALAR = { key: delimited(1), step: varint(2), time: delimited(4), value: delimited(5) };
const SCALAR_VALUE = { number: fixed64(1) };
const CONSOLE = { text: delimited(1), time: delimited(3) };
const STATUSES: readonly EndStatus[] = ['failed', 'finished', 'failed', 'stopped']; // unknown, success, crashed, aborted

/** What SwanLab's records mean. */
export class SwanlabReader implements RecordReader {
  readonly #losses: Losses;

  constructor(losses: Losses) {
    this.#losses = losses;
  }

  read(record: Uint8Array, found: Found[]): void {
    readMessage(record, (tag, reader) => {
      if (tag === RECORD.run) found.push(runOf(reader.bytes()));
      else if (tag === RECORD.scalar) found.push(rowOf(reader.bytes()));
      else if (tag === RECORD.console) found.push(lineOf(reader.bytes()));
      else if (tag === RECORD.finish) found.push(endOf(reader.bytes()));
      else {
        if (tag === RECORD.media) this.#losses.add('media', 'only numbers are read');
        return false;
      }
      return true;
    });
  }
}

function runOf(bytes: Uint8Array): Found {
  const facts: RunFacts = {};
  readMessage(bytes, (tag, reader) => {
    if (tag === RUN.project) facts.project = reader.string();
    else if (tag === RUN.name) facts.name = reader.string();
    else if (tag === RUN.description) facts.notes = reader.string();
    else if (tag === RUN.tag) facts.tags = [...(facts.tags ?? []), reader.string()];
    else if (tag === RUN.id) facts.id = reader.string();
    else if (tag === RUN.start) facts.startedAt = readTimestamp(reader.bytes());
    else return false;
    return true;
  });
  return { kind: 'run', ...facts };
}

function rowOf(bytes: Uint8Array): Found {
  let key = '';
  let step = 0;
  let time: number | null = null;
  let value = 0;
  readMessage(bytes, (tag, reader) => {
    if (tag === SCALAR.key) key = reader.string();
    else if (tag === SCALAR.step) step = readInt64(reader);
    else if (tag === SCALAR.time) time = readTimestamp(reader.bytes());
    else if (tag === SCALAR.value) value = numberOf(reader.bytes());
    else return false;
    return true;
  });
  return { kind: 'row', step, time, values: { [key]: value } };
}

/** 0 is not written. */
function numberOf(bytes: Uint8Array): number {
  let number = 0;
  readMessage(bytes, (tag, reader) => {
    if (tag !== SCALAR_VALUE.number) return false;
    number = reader.double();
    return true;
  });
  return number;
}

function lineOf(bytes: Uint8Array): Found {
  let text = '';
  let time = 0;
  readMessage(bytes, (tag, reader) => {
    if (tag === CONSOLE.text) text = reader.string();
    else if (tag === CONSOLE.time) time = readTimestamp(reader.bytes());
    else return false;
    return true;
  });
  return { kind: 'console', line: { stream: 'stdout', time, text, cut: 0 } };
}

function endOf(bytes: Uint8Array): Found {
  let state = 0;
  let reason: string | null = null;
  let endedAt: number | null = null;
  readMessage(bytes, (tag, reader) => {
    if (tag === FINISH.state) state = reader.int32();
    else if (tag === FINISH.error) reason = reader.string() || null;
    else if (tag === FINISH.time) endedAt = readTimestamp(reader.bytes());
    else return false;
    return true;
  });
  return { kind: 'end', status: STATUSES[state] ?? 'failed', reason, endedAt };
}
