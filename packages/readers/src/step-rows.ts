import type { Found } from './format.ts';
import { setValues } from './set-value.ts';

type Row = Extract<Found, { kind: 'row' }>;

/** Steps that wait for more values: what a program reports of one step it reports almost together. */
const WINDOW = 256;

/** Merges rows of one step: many files have a row for each value. Of what is reported twice the later stays. */
export class StepRows {
  readonly #waiting = new Map<number, Row>();

  /** @returns the row that has waited longest, where too many wait. */
  add(row: Row): Row | null {
    const known = this.#waiting.get(row.step);
    if (known) {
      setValues(known.values, row.values);
      return null;
    }
    this.#waiting.set(row.step, { ...row, values: { ...row.values } });
    return this.#waiting.size > WINDOW ? this.#takeFirst() : null;
  }

  /** All that wait. */
  *flush(): Generator<Row> {
    for (let row = this.#takeFirst(); row !== null; row = this.#takeFirst()) yield row;
  }

  #takeFirst(): Row | null {
    for (const [step, row] of this.#waiting) {
      this.#waiting.delete(step);
      return row;
    }
    return null;
  }
}
