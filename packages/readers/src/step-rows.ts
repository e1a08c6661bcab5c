import type { Found } from './format.ts';
import { setValue } from './set-value.ts';

type Row = Extract<Found, { kind: 'row' }>;

/** Steps that wait for more values: what a program reports of one step it reports almost together. */
const WINDOW = 256;
/** Values of one step, of which many may be of one name, that wait without being merged. */
const MAX_WAITING = 4_096;

/** Values of a step in the order in which they came: an object grows only once, when all of them are known. */
interface Waiting {
  row: Row;
  names: string[];
  values: number[];
}

/** Merges rows of one step: many files have a row for each value. Of what is reported twice the later stays. */
export class StepRows {
  readonly #waiting = new Map<number, Waiting>();

  /** @returns the row that has waited longest, where too many wait. */
  add(row: Row): Row | null {
    const known = this.#waiting.get(row.step);
    if (known) {
      append(known, row.values);
      return null;
    }
    const fresh: Waiting = { row, names: [], values: [] };
    append(fresh, row.values);
    this.#waiting.set(row.step, fresh);
    return this.#waiting.size > WINDOW ? this.#takeFirst() : null;
  }

  /** All that wait. */
  *flush(): Generator<Row> {
    for (let row = this.#takeFirst(); row !== null; row = this.#takeFirst()) yield row;
  }

  #takeFirst(): Row | null {
    for (const [step, waiting] of this.#waiting) {
      this.#waiting.delete(step);
      return { ...waiting.row, values: merged(waiting) };
    }
    return null;
  }
}

function append(waiting: Waiting, values: Row['values']): void {
  const { names, values: numbers } = waiting;
  for (const name in values) {
    names.push(name);
    numbers.push(values[name] as number);
  }
  if (names.length <= MAX_WAITING) return;
  const all = merged(waiting);
  waiting.names = Object.keys(all);
  waiting.values = Object.values(all);
}

function merged({ names, values }: Waiting): Row['values'] {
  const all: Row['values'] = {};
  for (let at = 0; at < names.length; at++) setValue(all, names[at] as string, values[at] as number);
  return all;
}
