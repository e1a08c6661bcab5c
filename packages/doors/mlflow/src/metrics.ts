import type { PolledRow } from '@evenkeel/ingest';
import { z } from 'zod';

/** A metric as it is sent. Whatever is wrong with it costs itself alone. */
export const sentMetric = z.object({
  key: z.string(),
  value: z.unknown().optional(),
  timestamp: z.unknown().optional(),
  step: z.unknown().optional(),
});
/** A parsed {@link sentMetric}. */
export type SentMetric = z.infer<typeof sentMetric>;

const WORDS = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['-infinity', Number.NEGATIVE_INFINITY],
]);
const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** The number that a client means: itself, or its text as Python or JSON writes it; null where that is none. */
export function numberOf(value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return null;
  const text = value.trim();
  if (DECIMAL.test(text)) return Number(text);
  return WORDS.get(text.toLowerCase().replace(/^\+/, '')) ?? null;
}

/** A value of one metric, to be stored at a step. */
export interface Reading {
  key: string;
  value: number;
  /** As sent: anything that is no integer is left out when it is stored. */
  step: number;
  /** In milliseconds since 1970; null where it is not known. */
  timestamp: number | null;
}

/** @returns the metric's reading, or null where it has no value that is a number. */
export function readMetric({ key, value, timestamp, step }: SentMetric): Reading | null {
  const number = numberOf(value);
  if (number === null) return null;
  const at = step === undefined || step === null || step === '' ? 0 : numberOf(step);
  return { key, value: number, step: at ?? Number.NaN, timestamp: numberOf(timestamp) };
}

/**
 * The rows that readings make: one for each step, of several values of one metric at one step the one with the newest
 * timestamp, or the last of those that have the same.
 */
export function rowsOf(readings: readonly Reading[]): PolledRow[] {
  const rows = new Map<number, { time: number | null; newest: Map<string, Reading> }>();
  for (const reading of readings) {
    const row = rows.get(reading.step) ?? { time: reading.timestamp, newest: new Map<string, Reading>() };
    rows.set(reading.step, row);
    row.time = earlier(row.time, reading.timestamp);
    const known = row.newest.get(reading.key);
    if (!known || (known.timestamp ?? 0) <= (reading.timestamp ?? 0)) row.newest.set(reading.key, reading);
  }
  return [...rows].map(([step, { time, newest }]) => {
    return { step, time, custom: Object.fromEntries([...newest].map(([key, { value }]) => [key, value])) };
  });
}

/** As two reports of one step are merged. */
function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}
