import { runId } from '@evenkeel/protocol';
import { createLoader, parseAsArrayOf, parseAsString } from 'nuqs/server';
import { parseAsIntegerWithin } from '../../components/url-parsers.ts';
import type { StepRange } from '../chart/view-params.ts';

/** Lines that a chart can hold and eyes can follow. */
export const MAX_RUNS = 20;

export interface AskedRuns {
  /** Of the runs to draw, in the order of the address. */
  ids: string[];
  /** What is no id of a run. */
  malformed: string[];
  /** How many are left out because there is no room for more. */
  beyond: number;
}

const ids = parseAsArrayOf(parseAsString).withDefault([]);

/** The search parameters of which runs are compared. */
export const RUNS_PARAMS = {
  /** Ids of runs, in the order in which they are drawn. */
  runs: ids,
  /** Ids of runs that the charts leave out for the moment. */
  hide: ids,
};

/** Reads the search parameters on the server. */
export const loadCompared = createLoader(RUNS_PARAMS);

/** What of a list of ids can be compared, and what cannot. */
export function askedRuns(list: readonly string[]): AskedRuns {
  const texts = list.map((text) => text.trim()).filter((text) => text !== '');
  const asked = texts.map((text) => ({ text, id: runId.safeParse(text).data }));
  const known = [...new Set(asked.flatMap(({ id }) => id ?? []))];
  const malformed = [...new Set(asked.flatMap(({ text, id }) => (id ? [] : [text])))];
  return { ids: known.slice(0, MAX_RUNS), malformed, beyond: Math.max(0, known.length - MAX_RUNS) };
}

/** The address of a comparison. */
export function compareHref(ids: readonly string[]): string {
  return `/compare?runs=${ids.join(',')}`;
}

/** Hides a run, or no longer. */
export function toggled(hidden: readonly string[], id: string): string[] {
  return hidden.includes(id) ? hidden.filter((other) => other !== id) : [...hidden, id];
}

const place = parseAsIntegerWithin(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

/** The search parameters of the range in view, in steps, tokens or milliseconds, as the x axis counts. */
export const PLACE_PARAMS = { from: place, to: place };

/** The range of search parameters; one that does not end after it begins is left out. */
export function placeRange({ from, to }: Record<'from' | 'to', number | null>): StepRange {
  if (from !== null && to !== null && from >= to) return {};
  return { ...(from !== null && { from }), ...(to !== null && { to }) };
}
