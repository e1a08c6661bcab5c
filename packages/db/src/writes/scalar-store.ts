import { asc, eq } from 'drizzle-orm';
import type { Database, Sql } from '../database.ts';
import { run, scalarName, scalarSet } from '../tables/schema.ts';
import { ScalarDictionary } from './scalar-dictionary.ts';

/** Names that are kept in memory over all runs: at most some 100 MB. */
const CACHED_NAMES = 200_000;

/** What a locked row of `run` says of its dictionary. */
export interface DictionaryKey {
  id: string;
  serial: number;
  scalarNames: number;
  scalarSets: number;
}

/**
 * The dictionaries of runs that had custom scalars lately. One is taken out for a transaction that holds the run's lock
 * and put back once that is committed, so that what is in here is never more than what is stored.
 */
class DictionaryCache {
  readonly #kept = new Map<string, { serial: number; dictionary: ScalarDictionary }>();
  #names = 0;

  take({ id, serial, scalarNames, scalarSets }: DictionaryKey): ScalarDictionary | null {
    const kept = this.#kept.get(id);
    if (!kept) return null;
    this.#kept.delete(id);
    const { dictionary } = kept;
    this.#names -= dictionary.nameCount;
    const isNewest = dictionary.nameCount === scalarNames && dictionary.setCount === scalarSets;
    return kept.serial === serial && isNewest ? dictionary : null;
  }

  put({ id, serial }: DictionaryKey, dictionary: ScalarDictionary): void {
    this.#names += dictionary.nameCount - (this.#kept.get(id)?.dictionary.nameCount ?? 0);
    this.#kept.set(id, { serial, dictionary });
    for (const [oldest, { dictionary: old }] of this.#kept) {
      if (this.#names <= CACHED_NAMES) break;
      this.#kept.delete(oldest);
      this.#names -= old.nameCount;
    }
  }
}

const CACHES = new WeakMap<Database, DictionaryCache>();

function cacheOf(db: Database): DictionaryCache {
  const known = CACHES.get(db) ?? new DictionaryCache();
  CACHES.set(db, known);
  return known;
}

/** The dictionaries of runs whose rows this transaction has locked. */
export async function takeDictionaries(
  db: Database,
  tx: Sql,
  runs: readonly DictionaryKey[],
): Promise<Map<string, ScalarDictionary>> {
  const taken = new Map<string, ScalarDictionary>();
  const missing: string[] = [];
  for (const key of runs) {
    const kept = key.scalarNames === 0 ? new ScalarDictionary() : cacheOf(db).take(key);
    if (kept) taken.set(key.id, kept);
    else missing.push(key.id);
  }
  for (const id of missing) taken.set(id, await readDictionary(tx, id));
  return taken;
}

async function readDictionary(tx: Sql, id: string): Promise<ScalarDictionary> {
  const names = await tx
    .select({ name: scalarName.name })
    .from(scalarName)
    .where(eq(scalarName.run, id))
    .orderBy(asc(scalarName.id));
  const sets = await tx
    .select({ names: scalarSet.names })
    .from(scalarSet)
    .where(eq(scalarSet.run, id))
    .orderBy(asc(scalarSet.id));
  return new ScalarDictionary(
    names.map(({ name }) => name),
    sets.map(({ names }) => names),
  );
}

/** To be called once the transaction is committed. */
export function keepDictionaries(
  db: Database,
  runs: readonly DictionaryKey[],
  dictionaries: ReadonlyMap<string, ScalarDictionary>,
): void {
  for (const key of runs) {
    const dictionary = dictionaries.get(key.id);
    if (dictionary && dictionary.nameCount > 0) cacheOf(db).put(key, dictionary);
  }
}

/** Stores what was added to the dictionary of a run. */
export async function storeDictionary(tx: Sql, id: string, dictionary: ScalarDictionary): Promise<void> {
  const { names, sets } = dictionary.takeNew();
  if (names.length === 0 && sets.length === 0) return;
  const { nameCount, setCount } = dictionary;
  if (names.length > 0) {
    const first = nameCount - names.length;
    await tx.insert(scalarName).values(names.map((name, at) => ({ run: id, id: first + at, name })));
  }
  if (sets.length > 0) {
    const first = setCount - sets.length;
    await tx.insert(scalarSet).values(sets.map((ids, at) => ({ run: id, id: first + at, names: ids })));
  }
  await tx.update(run).set({ scalarNames: nameCount, scalarSets: setCount }).where(eq(run.id, id));
}
