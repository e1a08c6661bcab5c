import { numberOf, tagNonFinite } from '@evenkeel/protocol';
import { toJson } from './json.ts';

/** A line of the history, or of the system metrics: what is a number of it, and the names of what is none. */
export interface Row {
  /** By name; names within an object follow its own after a dot. */
  values: Map<string, number>;
  notKept: string[];
}

/** Reads a line, which is a JSON text of its own. @returns null where it is none. */
export function readRow(line: string): Row | null {
  const found = toJson(tagNonFinite(line));
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return null;
  const row: Row = { values: new Map(), notKept: [] };
  for (const [name, value] of Object.entries(found)) take(row, name, value);
  return row;
}

/** Nesting that is kept; a program's call stack is not endless. */
const MAX_DEPTH = 64;

/** What is null was not measured. Media, tables and histograms are objects that name their type. */
function take(row: Row, name: string, value: unknown, depth = 1): void {
  const number = toNumber(value);
  if (number !== null) row.values.set(name, number);
  else if (isPlain(value) && depth < MAX_DEPTH)
    for (const [key, inner] of Object.entries(value)) take(row, `${name}.${key}`, inner, depth + 1);
  else if (value !== null) row.notKept.push(name);
}

function toNumber(value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  const text = numberOf(value);
  return text === null ? null : Number(text);
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('_type' in value);
}
