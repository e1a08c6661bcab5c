import { runId } from '@evenkeel/protocol';
import type { StepRange } from '../step/view-params.ts';

/** Lines that a chart can hold and eyes can follow. */
export const MOST_RUNS = 20;

export interface AskedRuns {
  /** Of the runs to draw, in the order of the address. */
  ids: string[];
  /** What is no id of a run. */
  malformed: string[];
  /** How many are left out because there is no room for more. */
  beyond: number;
}

/** `?runs=ID,ID`. Server and browser read the address alike, so that both speak of the same queries. */
export function readRuns(params: URLSearchParams): AskedRuns {
  const asked = list(params.get('runs')).map((text) => ({ text, id: runId.safeParse(text).data }));
  const ids = [...new Set(asked.flatMap(({ id }) => id ?? []))];
  const malformed = [...new Set(asked.flatMap(({ text, id }) => (id ? [] : [text])))];
  return { ids: ids.slice(0, MOST_RUNS), malformed, beyond: Math.max(0, ids.length - MOST_RUNS) };
}

/** The address of a comparison. */
export function compareHref(ids: readonly string[]): string {
  return `/compare?runs=${ids.join(',')}`;
}

export function writeRuns(ids: readonly string[]): Record<'runs', string | null> {
  return { runs: ids.join(',') || null };
}

/** `?hide=ID,ID`: runs that the charts leave out for the moment. */
export function readHidden(params: URLSearchParams): string[] {
  return list(params.get('hide'));
}

/** Hides a run, or no longer. */
export function toggleHidden(hidden: readonly string[], id: string): Record<'hide', string | null> {
  const next = hidden.includes(id) ? hidden.filter((other) => other !== id) : [...hidden, id];
  return { hide: next.join(',') || null };
}

function list(text: string | null): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** `?from=100&to=200`, in steps, tokens or milliseconds, as the x axis counts; what makes no sense is left out. */
export function readPlaces(params: URLSearchParams): StepRange {
  const from = readPlace(params.get('from'));
  const to = readPlace(params.get('to'));
  if (from !== undefined && to !== undefined && from >= to) return {};
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}

function readPlace(text: string | null): number | undefined {
  const place = Number(text);
  return text && /^-?\d+$/.test(text) && Number.isSafeInteger(place) ? place : undefined;
}
