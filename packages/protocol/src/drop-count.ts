import type { DroppedValue } from './refusal.ts';

/** Fields that are counted one by one; what is dropped of further ones is counted together, so that memory is bounded. */
const COUNTED_FIELDS = 1_000;
export const OTHER_FIELDS = 'other fields';

/** Counts what was left out of steps, by field and reason. */
export class DropCount {
  readonly #counts = new Map<string, DroppedValue>();

  add(field: string, reason: string, count = 1): void {
    const key = `${reason} ${field}`;
    const known = this.#counts.get(key);
    if (known) known.count += count;
    else if (this.#counts.size < COUNTED_FIELDS || field === OTHER_FIELDS)
      this.#counts.set(key, { field, reason, count });
    else this.add(OTHER_FIELDS, reason, count);
  }

  get total(): number {
    return this.values().reduce((total, { count }) => total + count, 0);
  }

  /** In the order in which each was first counted. */
  values(): DroppedValue[] {
    return [...this.#counts.values()].map((value) => ({ ...value }));
  }
}
