import { RefusedError } from '@evenkeel/protocol';
import { and, inArray, isNull } from 'drizzle-orm';
import type { Sql } from '../database.ts';
import { apiKey } from '../tables/schema.ts';

/**
 * Checks that a run is the key's to go on with: its own, nobody's, or that of a key which has been revoked. What such
 * a run is left with is better taken over by any valid key than stranded.
 * @param key null for an emitter without a key, which may only go on with a run that is nobody's.
 * @throws RefusedError where the run belongs to another key.
 */
export async function checkOwner(tx: Sql, owner: string | null, key: string | null): Promise<void> {
  if (owner === null || owner === key) return;
  const valid = await tx
    .select({ id: apiKey.id })
    .from(apiKey)
    .where(and(inArray(apiKey.id, key === null ? [owner] : [owner, key]), isNull(apiKey.revokedAt)));
  if (valid.length === 1 && valid[0]?.id === key) return;
  throw new RefusedError(
    'run',
    'the run belongs to another ingest key: only that key can send to it, or any other once that one is revoked',
  );
}
