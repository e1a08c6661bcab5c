import { createHash } from 'node:crypto';
import { MAX_CUSTOM_SCALARS } from '@evenkeel/protocol';
import type { Reading } from './metrics.ts';

/** Values of one metric at step 0 that are remembered at least, so that a request which is sent again is recognized. */
const REMEMBERED = 32;
/** Metrics that are counted in one run; those beyond stay at step 0. */
const MAX_COUNTED = 1_000;

interface Known {
  /** The step of the newest value that was logged at step 0. */
  step: number;
  /** Steps of the last of these values, by timestamp and value. */
  recent: Map<string, number>;
}

/** A request with values that were logged without a step, and where they were placed; to be kept over a restart. */
export interface PlacedRequest {
  /** A digest of these values. */
  id: string;
  /** The step of the first of its values, by metric; each of its next values is at the next step. */
  starts: [key: string, step: number][];
}

/** What of a metric is stored already: its newest value, and whether its steps were counted. */
export interface StoredMetric {
  step: number;
  value: number;
  isCounted: boolean;
}

/**
 * Gives steps to metrics that are logged without one. A client cannot leave the step away: it sends 0, again and again. So a
 * metric of which value after value comes at step 0, and none at another step, gets a step of its own count.
 */
export class StepCounter {
  readonly #known = new Map<string, Known>();
  /** Metrics that have values at other steps: theirs are the steps that they are sent with. */
  readonly #stepped = new Set<string>();
  /** Metrics whose steps are counted. */
  readonly #counted = new Set<string>();
  readonly #stored: (key: string) => StoredMetric | null;
  readonly #before: ReadonlyMap<string, PlacedRequest['starts']>;

  /**
   * @param stored what the run had of a metric before.
   * @param before the newest requests before, of which one may come again.
   */
  constructor(stored: (key: string) => StoredMetric | null, before: readonly PlacedRequest[] = []) {
    this.#stored = stored;
    this.#before = new Map(before.map(({ id, starts }) => [id, starts]));
  }

  /** The metrics whose steps are counted. */
  get counted(): ReadonlySet<string> {
    return this.#counted;
  }

  /** The same readings, those that were logged without a step at steps of their own. */
  place(readings: readonly Reading[]): Reading[] {
    for (const { key, step } of readings) if (step !== 0) this.#note(key);
    for (const [key, start] of this.#before.get(idOf(readings)) ?? []) this.#rememberFrom(readings, key, start);
    const placed = readings.map((reading) =>
      reading.step === 0 ? { ...reading, step: this.#stepOf(reading) } : reading,
    );
    this.#forget(readings);
    return placed;
  }

  /** What is to be kept of readings that were placed; null where none of them was counted. */
  requestOf(readings: readonly Reading[], placed: readonly Reading[]): PlacedRequest | null {
    const starts = new Map<string, number>();
    for (const [at, { key, step }] of readings.entries()) {
      const stands = placed[at]?.step;
      if (step === 0 && stands !== undefined && this.#counted.has(key) && !starts.has(key)) starts.set(key, stands);
    }
    return starts.size === 0 ? null : { id: idOf(readings), starts: [...starts] };
  }

  /** Of a request that comes again after a restart: what of it is stored already does not matter. */
  #rememberFrom(readings: readonly Reading[], key: string, start: number): void {
    const own = readings.filter((reading) => reading.step === 0 && reading.key === key);
    const [first] = own;
    const known = first && (this.#known.get(key) ?? this.#recall(first));
    if (!known) return;
    for (const [at, name] of [...new Set(own.map(nameOf))].entries()) {
      known.recent.set(name, start + at);
      known.step = Math.max(known.step, start + at);
    }
  }

  /** All values of the newest request are remembered, however many: it may be sent again as a whole. */
  #forget(readings: readonly Reading[]): void {
    const counts = new Map<string, number>();
    for (const { key } of readings) counts.set(key, (counts.get(key) ?? 0) + 1);
    for (const [key, count] of counts) {
      const recent = this.#known.get(key)?.recent ?? new Map<string, number>();
      for (const oldest of recent.keys()) {
        if (recent.size <= Math.max(REMEMBERED, count)) break;
        recent.delete(oldest);
      }
    }
  }

  #note(key: string): void {
    if (this.#counted.has(key) || this.#stepped.size >= MAX_CUSTOM_SCALARS) return;
    this.#stepped.add(key);
    this.#known.delete(key);
  }

  #stepOf(reading: Reading): number {
    const { key } = reading;
    if (this.#stepped.has(key)) return 0;
    const known = this.#known.get(key) ?? this.#recall(reading);
    if (!known) return 0;
    const name = nameOf(reading);
    const before = known.recent.get(name);
    if (before !== undefined) return before;
    known.step += 1;
    if (known.step > 0) this.#counted.add(key);
    known.recent.set(name, known.step);
    return known.step;
  }

  /** Null where the metric has its steps from its sender. */
  #recall(reading: Reading): Known | null {
    const { key, value } = reading;
    const stored = this.#stored(key);
    if ((stored && stored.step !== 0 && !stored.isCounted) || this.#known.size >= MAX_COUNTED) {
      this.#note(key);
      return null;
    }
    const known: Known = { step: stored?.step ?? -1, recent: new Map() };
    if (stored?.isCounted) this.#counted.add(key);
    // It may be the last request before a restart, sent again: its timestamp is not stored as it was.
    if (stored && Object.is(stored.value, value)) known.recent.set(nameOf(reading), stored.step);
    this.#known.set(key, known);
    return known;
  }
}

function idOf(readings: readonly Reading[]): string {
  const values = readings.filter(({ step }) => step === 0).map((reading) => [reading.key, nameOf(reading)]);
  return createHash('sha256').update(JSON.stringify(values)).digest('base64url').slice(0, 22);
}

function nameOf({ timestamp, value }: Reading): string {
  return `${timestamp} ${value}`;
}
