import { targetOf } from '@evenkeel/protocol';
import type { FileFormat, Found } from '../format.ts';
import { flatNumbers, parseLooseJson } from '../text/loose-json.ts';
import { decodeRecords, endOfLines, linesOf, type RecordReader } from '../text/records.ts';
import {
  absoluteTime,
  dateTime,
  noRows,
  type RowsState,
  rowsState,
  stepNameOf,
  takeRow,
  timeNameOf,
} from '../text/rows.ts';
import { runOfPath } from '../text/run-of-path.ts';

const reader: RecordReader<RowsState> = {
  state: rowsState,
  start: noRows,
  endOf: endOfLines,
  read: (text, state) => linesOf(text).flatMap((line) => readLine(line, state)),
};

/** JSON lines: an object for each report, whose numbers count; what is nested is named `a.b`. */
export const jsonl: FileFormat = {
  name: 'jsonl',
  matches: (path, head) =>
    /\.(jsonl|ndjson|json|log|txt)$/i.test(path) && hasMetrics(Buffer.from(head).toString('utf8')),
  runOf: runOfPath,
  decode: (from) => decodeRecords(reader, from),
};

/** Whether the first line is an object with a step or a metric that Evenkeel knows, and not the start of a recording. */
function hasMetrics(head: string): boolean {
  const [line = '', ...more] = head.replace(/^\uFEFF/, '').split('\n');
  const object = more.length > 0 ? objectOf(line) : null;
  if (!object || ('type' in object && object.type === 'run')) return false;
  const names = Object.keys(flatNumbers(object).values);
  return stepNameOf(names) !== undefined || names.some((name) => targetOf(name) !== null);
}

function readLine(line: string, state: RowsState): Found[] {
  const object = objectOf(line);
  if (!object) return [{ kind: 'lost', what: 'lines', count: 1, reason: 'not a JSON object' }];
  const { values, lists } = flatNumbers(object);
  const step = take(values, stepNameOf(Object.keys(values)));
  const time = takeTime(values, object, timeNameOf(Object.keys(object)));
  const found = takeRow(state, { step, time, values });
  if (lists === 0) return found;
  return [...found, { kind: 'lost', what: 'values', count: lists, reason: 'a list has no place in a step' }];
}

function objectOf(line: string): Record<string, unknown> | null {
  try {
    const value = parseLooseJson(line);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function take(values: Record<string, number>, name: string | undefined): number | null {
  const value = name === undefined ? undefined : values[name];
  if (name === undefined || value === undefined) return null;
  delete values[name];
  return value;
}

function takeTime(
  values: Record<string, number>,
  object: Record<string, unknown>,
  name: string | undefined,
): number | null {
  if (name === undefined) return null;
  const given = object[name];
  if (typeof given === 'string') return dateTime(given);
  const time = typeof given === 'number' ? absoluteTime(given) : null;
  if (time !== null) delete values[name];
  return time;
}
