import { desc, isNotNull, isNull } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { apiKey } from '../tables/schema.ts';

/** A key for `/ingest`, without its secret. */
export interface ApiKey {
  id: string;
  name: string;
  createdAt: Date;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
}

export const SHOWN = {
  id: apiKey.id,
  name: apiKey.name,
  createdAt: apiKey.createdAt,
  lastUsedAt: apiKey.lastUsedAt,
  revokedAt: apiKey.revokedAt,
};

/** Of keys that are revoked, the newest that a list holds. */
const LISTED_REVOKED = 1_000;

/** Oldest first: every valid key, and the newest thousand of those that are revoked. */
export async function listApiKeys(db: Database): Promise<ApiKey[]> {
  const [valid, revoked] = await Promise.all([
    db.sql.select(SHOWN).from(apiKey).where(isNull(apiKey.revokedAt)),
    db.sql
      .select(SHOWN)
      .from(apiKey)
      .where(isNotNull(apiKey.revokedAt))
      .orderBy(desc(apiKey.createdAt), desc(apiKey.id))
      .limit(LISTED_REVOKED),
  ]);
  return [...valid, ...revoked].sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1));
}

/** Whether a key was ever made. Revoking the last one must not let anybody in, so revoked keys count. */
export async function anyApiKey(db: Database): Promise<boolean> {
  const rows = await db.sql.select({ id: apiKey.id }).from(apiKey).limit(1);
  return rows.length > 0;
}
