import { MAX_CUSTOM_SCALARS } from '@evenkeel/protocol';

/**
 * Sets of names beyond these are not remembered one by one: each value is then stored by itself, so that a run whose
 * every step reports other names needs no new set for each.
 */
const MAX_SETS = 1_000;

/** Values of one step that are stored together, and the id of the set of their names. */
export interface ScalarRow {
  set: number;
  values: number[];
}

/** How the values of a report are laid out in a row: those at these places, in the order of their set. */
interface Layout {
  names: readonly string[];
  rows: readonly { set: number; places: readonly number[] }[];
}

/** What `scalar_name` and `scalar_set` hold of one run, and what a transaction is about to add to them. */
export class ScalarDictionary {
  /** Ids by name, and of sets by their names' ids. */
  readonly #names: Map<string, number>;
  readonly #sets: Map<string, number>;
  #newNames: string[] = [];
  #newSets: number[][] = [];
  /** Of the last report: the one that follows mostly has the same names. */
  #layout: Layout = { names: [], rows: [] };

  /** @param names in the order of their ids, as the sets are. */
  constructor(names: readonly string[] = [], sets: readonly (readonly number[])[] = []) {
    this.#names = new Map(names.map((name, id) => [name, id]));
    this.#sets = new Map(sets.map((ids, id) => [ids.join(), id]));
  }

  get nameCount(): number {
    return this.#names.size;
  }

  get setCount(): number {
    return this.#sets.size;
  }

  /**
   * Makes the names of a report the run's, as far as there is room.
   * @returns those for which there is none.
   */
  add(custom: Record<string, number> | null | undefined): string[] {
    const excess: string[] = [];
    for (const name in custom) {
      if (this.#names.has(name)) continue;
      if (this.#names.size >= MAX_CUSTOM_SCALARS) excess.push(name);
      else {
        this.#names.set(name, this.#names.size);
        this.#newNames.push(name);
      }
    }
    return excess;
  }

  /** The rows that hold the custom scalars of a step, whose names have been added. */
  rowsOf(custom: Record<string, number>): ScalarRow[] {
    const names = Object.keys(custom);
    if (!isSame(this.#layout.names, names)) this.#layout = this.#layOut(names);
    const values = Object.values(custom);
    return this.#layout.rows.map(({ set, places }) => ({ set, values: places.map((at) => itemAt(values, at)) }));
  }

  /** What was added since this was last asked for. */
  takeNew(): { names: string[]; sets: number[][] } {
    const added = { names: this.#newNames, sets: this.#newSets };
    this.#newNames = [];
    this.#newSets = [];
    return added;
  }

  #layOut(names: readonly string[]): Layout {
    const scalars = names.map((name, place) => ({ id: this.#idOf(name), place }));
    scalars.sort((one, other) => one.id - other.id);
    if (scalars.length === 0) return { names, rows: [] };
    const set = this.#setOf(scalars.map(({ id }) => id));
    if (set !== null) return { names, rows: [{ set, places: scalars.map(({ place }) => place) }] };
    return { names, rows: scalars.map(({ id, place }) => ({ set: this.#singletonOf(id), places: [place] })) };
  }

  #idOf(name: string): number {
    const id = this.#names.get(name);
    if (id === undefined) throw new Error(`the scalar ${name} was not added`);
    return id;
  }

  /** Null where there are too many sets for another. */
  #setOf(ids: number[]): number | null {
    return this.#sets.get(ids.join()) ?? (this.#sets.size < MAX_SETS ? this.#addSet(ids) : null);
  }

  #singletonOf(id: number): number {
    return this.#sets.get(String(id)) ?? this.#addSet([id]);
  }

  #addSet(ids: number[]): number {
    const set = this.#sets.size;
    this.#sets.set(ids.join(), set);
    this.#newSets.push(ids);
    return set;
  }
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, at) => name === other[at]);
}

function itemAt(values: readonly number[], at: number): number {
  const value = values[at];
  if (value === undefined) throw new Error(`no value at ${at}`);
  return value;
}
