import { expect, test, vi } from 'vitest';
import { openDatabase } from './open.ts';
import { pingDatabase } from './ping.ts';
import { createPostgres, describeDatabases } from './testing.ts';

/** More than either database has connections. */
const TRANSACTIONS = 11;

describeDatabases('a ping', (db, url) => {
  test('is answered, and is an error where nothing answers', async () => {
    await pingDatabase(db());
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { promise: end, resolve: endAll } = withResolvers();
    const held = Array.from({ length: TRANSACTIONS }, () => db().sql.transaction(() => end));
    const ping = pingDatabase(db());
    const refused = expect(ping).rejects.toThrow('the database does not answer');
    vi.advanceTimersByTime(2_000);
    await refused;
    vi.useRealTimers();
    endAll();
    await Promise.all(held);
    await pingDatabase(db());
  });

  test('is an error where the database is closed', async () => {
    const place = url() === null ? null : await createPostgres();
    const closed = await openDatabase(place ?? { inMemory: true });
    await closed.close();
    await expect(pingDatabase(closed)).rejects.toThrow(
      place ? 'after calling end on the pool' : 'the database is closed',
    );
    await place?.drop();
  });
});

function withResolvers() {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
