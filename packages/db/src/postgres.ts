import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import type { Database, Sql } from './database.ts';
import { MIGRATIONS } from './package.ts';

/** Any number that no other program takes an advisory lock on: "evenkeel" in ASCII. */
const MIGRATION_LOCK = 0x6576656e6b65656cn;

export async function openPostgres(url: string): Promise<Database> {
  const pool = new pg.Pool({ connectionString: url, application_name: 'evenkeel', keepAlive: true });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => {});
  try {
    await migrateAlone(pool);
  } catch (error) {
    await pool.end();
    throw error;
  }
  const close = async () => {
    if (!pool.ending) await pool.end();
  };
  const sql = drizzle(pool) as unknown as Sql;
  return { kind: 'postgres', sql, announce: () => {}, close, [Symbol.asyncDispose]: close };
}

/** Several replicas may start at once: one migrates, the others wait for it. */
async function migrateAlone(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await migrate(drizzle(client), { migrationsFolder: MIGRATIONS });
    await client.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    client.release();
  } catch (error) {
    client.release(true); // ends the session, and with it the lock
    throw error;
  }
}
