import type { DroppedValue } from './refusal.ts';

/** Fields and reasons that are counted one by one. */
const COUNTED_FIELDS = 1_000;
/** The field under which a {@link DropCount} counts what goes beyond its limit. */
export const OTHER_FIELDS = 'other fields';

/** Counts what was left out of steps, by field and reason. */
export class DropCount {
  readonly #counts = new Map<string, DroppedValue>();
  readonly #limit: number;
  #total = 0;

  /** @param limit fields and reasons that are counted one by one; what is dropped of further fields is counted together. */
  constructor(limit = COUNTED_FIELDS) {
    this.#limit = limit;
  }

  add(field: string, reason: string, count = 1): void {
    this.#total += count;
    this.#count(field, reason, count);
  }

  addAll(values: readonly DroppedValue[]): void {
    for (const { field, reason, count } of values) this.add(field, reason, count);
  }

  #count(field: string, reason: string, count: number): void {
    const key = `${reason} ${field}`;
    const known = this.#counts.get(key);
    if (known) known.count += count;
    else if (this.#counts.size < this.#limit || field === OTHER_FIELDS) this.#counts.set(key, { field, reason, count });
    else this.#count(OTHER_FIELDS, reason, count);
  }

  get total(): number {
    return this.#total;
  }

  /** In the order in which each was first counted. */
  values(): DroppedValue[] {
    return [...this.#counts.values()].map((value) => ({ ...value }));
  }
}
