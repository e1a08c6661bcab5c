import { join } from 'node:path';
import { expect, inject, onTestFinished, test, vi } from 'vitest';
import { arrayOf, FLOAT8 } from '../array-wire.ts';
import { connectPglite, type PgliteClient } from './client.ts';
import { keepUp } from './upkeep.ts';

const MINUTE_MS = 60_000;

/** A table `kept`, and a clock that only the test moves. */
async function kept() {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  const client = await connectPglite(null, join(inject('databaseTemplate'), 'packed.tar'));
  const stop = keepUp(client);
  onTestFinished(async () => {
    stop();
    vi.useRealTimers();
    await client.close();
  });
  await client.query('create table kept (value float8)');
  return client;
}

async function only(client: PgliteClient, sql: string): Promise<unknown> {
  const { rows } = await client.query(sql, [], { rowMode: 'array' });
  return (rows[0] as unknown[])[0];
}

const checkpoint = (client: PgliteClient) => only(client, 'select checkpoint_lsn::text from pg_control_checkpoint()');

test('after writes the log is cut and the tables are vacuumed and analyzed, but not without', async () => {
  const client = await kept();
  const analyzed = () => only(client, "select reltuples from pg_class where relname = 'kept'");
  const first = await checkpoint(client);
  vi.advanceTimersByTime(60 * MINUTE_MS);
  expect(await checkpoint(client)).toBe(first);
  await client.query('insert into kept select generate_series(1, 1000)');
  expect(await analyzed()).toBe(-1);
  vi.advanceTimersByTime(16 * MINUTE_MS);
  expect(await analyzed()).toBe(1000);
  const second = await checkpoint(client);
  expect(second).not.toBe(first);
  vi.advanceTimersByTime(60 * MINUTE_MS);
  expect(await checkpoint(client)).toBe(second);
});

test('after much was written the log is cut within seconds', async () => {
  const client = await kept();
  const first = await checkpoint(client);
  const values = arrayOf(FLOAT8, new Array(6_000_000).fill(1)); // 72 MB
  await client.query('insert into kept select 1 where cardinality($1::float8[]) > 0', [values]);
  vi.advanceTimersByTime(5_000);
  expect(await checkpoint(client)).not.toBe(first);
});
