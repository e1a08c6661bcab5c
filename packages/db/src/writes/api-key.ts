import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { RefusedError } from '@evenkeel/protocol';
import { and, count, eq, isNull } from 'drizzle-orm';
import { type Database, onlyRow } from '../database.ts';
import { type ApiKey, SHOWN } from '../reads/api-key.ts';
import { apiKey } from '../tables/schema.ts';

/** As hexadecimal digits behind a prefix and a dash this is what every release of W&B's client takes for a key: 40 characters. */
const SECRET_BYTES = 20;
/** Keys that may be valid at once. */
const MAX_KEYS = 1_000;

/**
 * The secret is in this answer and nowhere else.
 * @throws RefusedError where there are as many keys as there may be.
 */
export async function createApiKey(db: Database, name: string, now: Date): Promise<{ key: ApiKey; secret: string }> {
  const { keys } = onlyRow(await db.sql.select({ keys: count() }).from(apiKey).where(isNull(apiKey.revokedAt)));
  if (keys >= MAX_KEYS) throw new RefusedError('name', `there are ${MAX_KEYS} keys: revoke one first`);
  const secret = `ek-${randomBytes(SECRET_BYTES).toString('hex')}`;
  const values = { id: randomUUID(), name, hash: hash(secret), createdAt: now };
  const [key] = await db.sql.insert(apiKey).values(values).returning(SHOWN);
  if (!key) throw new Error('the database inserted no key');
  return { key, secret };
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

function hash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
