import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { anyApiKey, listApiKeys } from '../reads/api-key.ts';
import { apiKey } from '../tables/schema.ts';
import { describeDatabases } from '../testing.ts';
import { later, NOW } from '../testing-data.ts';
import { authenticateApiKey, createApiKey, revokeApiKey } from './api-key.ts';

describeDatabases('keys', (db) => {
  test('a key lets a client in until it is revoked, and nobody gets in without one after', async () => {
    expect(await anyApiKey(db())).toBe(false);
    const { key, secret } = await createApiKey(db(), 'cluster', NOW);
    expect(secret).toMatch(/^ek-[0-9a-f]{40}$/);
    expect(key).toEqual({ id: key.id, name: 'cluster', createdAt: NOW, lastUsedAt: null, revokedAt: null });
    expect(await authenticateApiKey(db(), secret, later(1))).toEqual({ ...key, lastUsedAt: later(1) });
    expect(await authenticateApiKey(db(), `${secret}x`, later(1))).toBeNull();
    const revoked = { ...key, lastUsedAt: later(1), revokedAt: later(2) };
    expect(await revokeApiKey(db(), key.id, later(2))).toEqual(revoked);
    expect(await revokeApiKey(db(), key.id, later(3))).toEqual(revoked);
    expect(await authenticateApiKey(db(), secret, later(4))).toBeNull();
    expect(await anyApiKey(db())).toBe(true);
  });

  test('the secret is nowhere in the database', async () => {
    const { secret } = await createApiKey(db(), 'hidden', NOW);
    const rows = await db().sql.select().from(apiKey);
    expect(JSON.stringify(rows)).not.toContain(secret.slice(3));
    expect(JSON.stringify(await listApiKeys(db()))).not.toMatch(/hash/);
  });

  test('a list is oldest first', async () => {
    const { key: young } = await createApiKey(db(), 'young', later(20));
    const { key: old } = await createApiKey(db(), 'old', later(10));
    const ids = (await listApiKeys(db())).map(({ id }) => id);
    expect(ids.indexOf(old.id)).toBeLessThan(ids.indexOf(young.id));
  });

  test('an unknown key is refused', async () => {
    const revoking = revokeApiKey(db(), randomUUID(), NOW);
    await expect(revoking).rejects.toMatchObject({ name: 'RefusedError', field: 'id' });
  });
});
