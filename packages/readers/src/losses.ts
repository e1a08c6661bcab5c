import type { Found } from './format.ts';

/** What a decoder could not bring, counted by kind, so that a file of a million images is one line of a report. */
export class Losses {
  readonly #counts = new Map<string, { what: string; reason: string; count: number }>();

  /** @param what in the plural: `records` in "3 records: damaged". */
  add(what: string, reason: string, count = 1): void {
    const key = JSON.stringify([what, reason]);
    const known = this.#counts.get(key);
    if (known) known.count += count;
    else this.#counts.set(key, { what, reason, count });
  }

  /** What was counted since it was last taken. */
  take(): Found[] {
    const found = [...this.#counts.values()].map((loss): Found => ({ kind: 'lost', ...loss }));
    this.#counts.clear();
    return found;
  }
}
