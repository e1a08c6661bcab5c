import type { BinaryReader } from '@bufbuild/protobuf/wire';
import { delimited, readInt64, readMessage, readTimestamp, varint } from '../protobuf.ts';

// Field numbers of W&B's Record and of what is in it, as seen in the files that docs/import.md lists.
const ITEM = { key: delimited(1), nestedKey: delimited(2), json: delimited(16) };
const HISTORY = { item: delimited(1), step: delimited(2) };
const HISTORY_STEP = { number: varint(1) };
const CONFIG = { update: delimited(1) };
const METRIC = { name: delimited(1), glob: delimited(2), stepMetric: delimited(4) };
const OUTPUT = { type: varint(1), time: delimited(2), text: delimited(3) };
const RUN = {
  id: delimited(1),
  project: delimited(3),
  config: delimited(4),
  displayName: delimited(8),
  notes: delimited(9),
  tag: delimited(10),
  startTime: delimited(17),
};
const EXIT = { code: varint(1) };

/** The kinds of records that are read, by their tag. */
export const RECORD = {
  history: delimited(2),
  config: delimited(5),
  metric: delimited(12),
  output: delimited(13),
  run: delimited(17),
  exit: delimited(18),
};

/** A value of a row or of a configuration. */
export interface Item {
  /** The keys of nested dictionaries down to it. */
  path: string[];
  json: string;
}

export interface History {
  /** W&B's own count of rows. */
  step: number;
  items: Item[];
}

/** @throws an Error where the bytes are no such message; so do the others. */
export function readHistory(bytes: Uint8Array): History {
  const history: History = { step: 0, items: [] };
  readMessage(bytes, (tag, reader) => {
    if (tag === HISTORY.item) history.items.push(readItem(reader.bytes()));
    else if (tag === HISTORY.step) history.step = readStep(reader.bytes());
    else return false;
    return true;
  });
  return history;
}

function readStep(bytes: Uint8Array): number {
  let step = 0;
  readMessage(bytes, (tag, reader) => {
    if (tag !== HISTORY_STEP.number) return false;
    step = readInt64(reader);
    return true;
  });
  return step;
}

function readItem(bytes: Uint8Array): Item {
  const item: Item = { path: [], json: 'null' };
  readMessage(bytes, (tag, reader) => {
    if (tag === ITEM.key || tag === ITEM.nestedKey) item.path.push(reader.string());
    else if (tag === ITEM.json) item.json = reader.string();
    else return false;
    return true;
  });
  return item;
}

/** A change of the configuration. */
export function readConfig(bytes: Uint8Array): Item[] {
  const items: Item[] = [];
  readMessage(bytes, (tag, reader) => {
    if (tag !== CONFIG.update) return false;
    items.push(readItem(reader.bytes()));
    return true;
  });
  return items;
}

/** A call of `define_metric` that names a step metric: of one metric, or of those that a pattern such as `train/*` fits. */
export interface StepMetric {
  name: string;
  isGlob: boolean;
  /** Empty where the rule is about something else. */
  stepMetric: string;
}

export function readMetric(bytes: Uint8Array): StepMetric {
  const metric: StepMetric = { name: '', isGlob: false, stepMetric: '' };
  readMessage(bytes, (tag, reader) => {
    if (tag === METRIC.name || tag === METRIC.glob) {
      metric.name = reader.string();
      metric.isGlob = tag === METRIC.glob;
    } else if (tag === METRIC.stepMetric) metric.stepMetric = reader.string();
    else return false;
    return true;
  });
  return metric;
}

/** What the program has printed: any part of a line, or several lines. */
export interface Output {
  stream: 'stdout' | 'stderr';
  time: number;
  text: string;
}

export function readOutput(bytes: Uint8Array): Output {
  const output: Output = { stream: 'stderr', time: 0, text: '' };
  readMessage(bytes, (tag, reader) => {
    if (tag === OUTPUT.type) output.stream = reader.int32() === 1 ? 'stdout' : 'stderr';
    else if (tag === OUTPUT.time) output.time = readTimestamp(reader.bytes());
    else if (tag === OUTPUT.text) output.text = reader.string();
    else return false;
    return true;
  });
  return output;
}

export interface RunRecord {
  id: string;
  project: string;
  name: string;
  notes: string;
  tags: string[];
  startedAt: number | null;
  config: Item[];
}

export function readRun(bytes: Uint8Array): RunRecord {
  const run: RunRecord = { id: '', project: '', name: '', notes: '', tags: [], startedAt: null, config: [] };
  readMessage(bytes, (tag, reader) => readRunField(run, tag, reader));
  return run;
}

function readRunField(run: RunRecord, tag: number, reader: BinaryReader): boolean {
  if (tag === RUN.id) run.id = reader.string();
  else if (tag === RUN.project) run.project = reader.string();
  else if (tag === RUN.displayName) run.name = reader.string();
  else if (tag === RUN.notes) run.notes = reader.string();
  else if (tag === RUN.tag) run.tags.push(reader.string());
  else if (tag === RUN.startTime) run.startedAt = readTimestamp(reader.bytes());
  else if (tag === RUN.config) run.config.push(...readConfig(reader.bytes()));
  else return false;
  return true;
}

/** The code that the program ended with. */
export function readExit(bytes: Uint8Array): number {
  let code = 0;
  readMessage(bytes, (tag, reader) => {
    if (tag !== EXIT.code) return false;
    code = reader.int32();
    return true;
  });
  return code;
}
