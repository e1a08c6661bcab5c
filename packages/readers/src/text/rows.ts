import { MAX_STEP, MAX_TIME, MIN_STEP, MIN_STEP_TIME } from '@evenkeel/protocol';
import { z } from 'zod';
import type { Found } from '../format.ts';

/** Names of the step, without case; of several that a row has, the first here counts. */
const STEP_NAMES = [
  ...['step', 'global_step', 'train/global_step', 'trainer/global_step', 'iter', 'iteration', '_step'],
];
/** Names of the time. */
const TIME_NAMES = ['time', 'timestamp', '_timestamp', 'wall_time'];

/** What a reader of rows remembers. */
export const rowsState = z.object({
  /** Rows so far. */
  count: z.number(),
  /** Whether a row had a step number; before, each row is a step. */
  hasSteps: z.boolean(),
  step: z.number(),
  /** The first name that the file reported, and where it was reported last. */
  lead: z.object({ name: z.string(), step: z.number(), time: z.number().nullable() }).nullable(),
});
/** A parsed {@link rowsState}. */
export type RowsState = z.infer<typeof rowsState>;

/** Before the first row. */
export function noRows(): RowsState {
  return { count: 0, hasSteps: false, step: 0, lead: null };
}

/** Values of a row by name, and what is known of it beside them. */
export interface Row {
  step: number | null;
  /** In milliseconds since 1970. */
  time: number | null;
  values: Record<string, number>;
}

/** The name of the step among some names; undefined where there is none. */
export function stepNameOf(names: readonly string[]): string | undefined {
  return firstOf(STEP_NAMES, names);
}

/** The name of the time among some names; undefined where there is none. */
export function timeNameOf(names: readonly string[]): string | undefined {
  return firstOf(TIME_NAMES, names);
}

function firstOf(wanted: readonly string[], names: readonly string[]): string | undefined {
  for (const each of wanted) {
    const found = names.find((name) => name.trim().toLowerCase() === each);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Milliseconds since 1970 of a number of seconds or milliseconds since then; null for another, such as a duration. */
export function absoluteTime(value: number): number | null {
  const milliseconds = value < MIN_STEP_TIME ? value * 1000 : value;
  return milliseconds >= MIN_STEP_TIME && milliseconds <= MAX_TIME ? milliseconds : null;
}

/** Milliseconds since 1970 of a date such as 2026-11-30T09:00:00Z; without a zone it is of this machine's. */
export function dateTime(text: string): number | null {
  if (!/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(text)) return null;
  const time = Date.parse(text.replace(' ', 'T').replace(',', '.'));
  return Number.isNaN(time) ? null : time;
}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const WORDS: Record<string, number> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  infinity: Number.POSITIVE_INFINITY,
};

/** A number as programs print it, also `nan` and `-inf`; null for other text. */
export function numberOf(text: string): number | null {
  if (NUMBER.test(text)) return Number(text);
  const word = WORDS[text.replace(/^[+-]/, '').toLowerCase()];
  if (word === undefined) return null;
  return text.startsWith('-') ? -word : word;
}

/**
 * Gives a row its step, and the run its next attempt where the row shows that the job went back: the name that the file
 * reported first comes again at an earlier step, and not with an earlier time, as rows do that are written out of order.
 */
export function takeRow(state: RowsState, { step: given, time, values }: Row): Found[] {
  const [first] = Object.keys(values);
  if (first === undefined) return [];
  if (given !== null && !isStep(given)) {
    return [{ kind: 'lost', what: 'rows', count: 1, reason: 'its step is not a whole number' }];
  }
  state.hasSteps ||= given !== null;
  // A row without a step among others that have one, such as a summary, belongs to the last of them.
  const step = state.hasSteps ? (given ?? state.step) : state.count;
  state.count += 1;
  state.step = step;
  const row: Found = { kind: 'row', step, time, values };
  return goesBack(state, first, row) ? [{ kind: 'attempt' }, row] : [row];
}

function goesBack(state: RowsState, first: string, { step, time, values }: Found & { kind: 'row' }): boolean {
  const { lead } = state;
  if (lead && !Object.hasOwn(values, lead.name)) return false;
  const isLate = lead?.time != null && time !== null && time < lead.time;
  if (isLate) return false;
  state.lead = { name: lead?.name ?? first, step, time };
  return lead !== null && step < lead.step;
}

function isStep(value: number): boolean {
  return Number.isInteger(value) && value >= MIN_STEP && value <= MAX_STEP;
}
