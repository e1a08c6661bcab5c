import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { RefusedError } from '@evenkeel/protocol';
import { and, count, desc, eq, isNotNull, isNull } from 'drizzle-orm';
import type { Database } from './database.ts';
import { apiKey } from './schema.ts';

/** A key for `/ingest`, without its secret. */
export interface ApiKey {
  id: string;
  name: string;
  createdAt: Date;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
}

const SHOWN = {
  id: apiKey.id,
  name: apiKey.name,
  createdAt: apiKey.createdAt,
  lastUsedAt: apiKey.lastUsedAt,
  revokedAt: apiKey.revokedAt,
};

/** Keys that may be valid at once. */
const MAX_KEYS = 1_000;
/** Of keys that are revoked, the newest that a list holds. */
const LISTED_REVOKED = 1_000;

/**
 * The secret is in this answer and nowhere else.
 * @throws RefusedError where there are as many keys as there may be.
 */
export async function createApiKey(db: Database, name: string, now: Date): Promise<{ key: ApiKey; secret: string }> {
  const [valid] = await db.sql.select({ keys: count() }).from(apiKey).where(isNull(apiKey.revokedAt));
  if ((valid?.keys ?? 0) >= MAX_KEYS) throw new RefusedError('name', `there are ${MAX_KEYS} keys: revoke one first`);
  const secret = `ek_${randomBytes(32).toString('base64url')}`;
  const values = { id: randomUUID(), name, hash: hash(secret), createdAt: now };
  const [key] = await db.sql.insert(apiKey).values(values).returning(SHOWN);
  if (!key) throw new Error('the database inserted no key');
  return { key, secret };
}

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

/** Does nothing to a key that is revoked already. */
export async function revokeApiKey(db: Database, id: string, now: Date): Promise<ApiKey> {
  const isKey = eq(apiKey.id, id);
  const revoking = db.sql.update(apiKey).set({ revokedAt: now });
  const [revoked] = await revoking.where(and(isKey, isNull(apiKey.revokedAt))).returning(SHOWN);
  const [found] = revoked ? [revoked] : await db.sql.select(SHOWN).from(apiKey).where(isKey);
  if (!found) throw new RefusedError('id', 'no such key');
  return found;
}

/** @returns the key that the secret opens, or null where there is none or it is revoked. */
export async function authenticateApiKey(db: Database, secret: string, now: Date): Promise<ApiKey | null> {
  const [used] = await db.sql
    .update(apiKey)
    .set({ lastUsedAt: now })
    .where(and(eq(apiKey.hash, hash(secret)), isNull(apiKey.revokedAt)))
    .returning(SHOWN);
  return used ?? null;
}

/** Whether a key was ever made. Revoking the last one must not open the door, so revoked keys count. */
export async function anyApiKey(db: Database): Promise<boolean> {
  const rows = await db.sql.select({ id: apiKey.id }).from(apiKey).limit(1);
  return rows.length > 0;
}

function hash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
