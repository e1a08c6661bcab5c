import { inArray } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { apiKey } from '../tables/schema.ts';

/** A key that started an attempt, revoked or not. */
export interface AttemptKey {
  id: string;
  name: string;
}

/**
 * Names the keys that started attempts.
 * @returns the key of an id; keys are never deleted, so every id has one.
 */
export async function namesOfKeys(db: Database, ids: readonly string[]): Promise<(id: string) => AttemptKey> {
  const named = await db.sql
    .select({ id: apiKey.id, name: apiKey.name })
    .from(apiKey)
    .where(inArray(apiKey.id, [...new Set(ids)]));
  const keys = new Map(named.map((key) => [key.id, key]));
  return (id) => {
    const key = keys.get(id);
    if (!key) throw new Error(`there is no key ${id}`);
    return key;
  };
}
