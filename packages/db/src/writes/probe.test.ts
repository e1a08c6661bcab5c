import pg from 'pg';
import { expect, test } from 'vitest';
import { describeFailure } from '../failure.ts';
import { openDatabase } from '../open.ts';
import { step } from '../tables/schema.ts';
import { createPostgres, describeDatabases } from '../testing.ts';
import { openTestDatabase } from '../testing-template.ts';
import { probeIngest } from './probe.ts';

/** More than either database has connections. */
const TRANSACTIONS = 11;

const problemOf = (probe: Promise<void>) => probe.then(() => null, describeFailure);

describeDatabases('a probe', (db, url, kind) => {
  test('is answered, leaves nothing behind, and waits for its turn where all connections are taken', async () => {
    await probeIngest(db());
    expect(await db().sql.select().from(step)).toEqual([]);
    const { promise: end, resolve: endAll } = withResolvers();
    const held = Array.from({ length: TRANSACTIONS }, () => db().sql.transaction(() => end));
    const probe = problemOf(probeIngest(db()));
    endAll();
    await Promise.all(held);
    expect(await probe).toBeNull();
  });

  test('is an error where the database is closed', async () => {
    const place = url() === null ? null : await createPostgres();
    const closed = await (place ? openDatabase(place) : openTestDatabase());
    await closed.close();
    await expect(probeIngest(closed)).rejects.toThrow(
      place ? 'after calling end on the pool' : 'the database is closed',
    );
    await place?.drop();
  });

  if (kind === 'postgres') {
    // PGlite has one connection, and nobody else
    test('says in a sentence why steps cannot be stored: read-only, locked, gone', async () => {
      const place = await createPostgres();
      await using probed = await openDatabase(place);
      const other = new pg.Client(place.url);
      other.on('error', () => {});
      await other.connect();
      await other.query('begin; lock table run in exclusive mode');
      expect(await problemOf(probeIngest(probed))).toBe('a table that steps are stored in is locked');
      await other.query('rollback');
      expect(await problemOf(probeIngest(probed))).toBeNull();

      const name = new URL(place.url).pathname.slice(1);
      const others = 'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()';
      await other.query(`alter database ${name} set default_transaction_read_only = on`);
      await other.query(`${others} and datname = '${name}'`);
      await expect.poll(() => problemOf(probeIngest(probed))).toBe('the database is read-only');
      await other.query('set default_transaction_read_only = off');
      await other.query(`alter database ${name} reset default_transaction_read_only`);
      await other.query(`${others} and datname = '${name}'`);
      await expect.poll(() => problemOf(probeIngest(probed))).toBeNull();
      await other.end();
      await place.drop();
      await expect.poll(() => problemOf(probeIngest(probed))).toBe('the database does not exist');
    });
  }
});

test('a failure that nobody knows leaves what went wrong to the log', () => {
  const secret = new Error('Failed query: select 1 params: secret', { cause: new Error('odd') });
  expect(describeFailure(secret)).toBe("the database failed: the server's log says why");
  expect(describeFailure('odd')).toBe("the database failed: the server's log says why");
});

function withResolvers() {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
