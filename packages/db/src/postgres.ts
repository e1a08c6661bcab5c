import type { Socket } from 'node:net';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { type Database, type Sql, withReaders } from './database.ts';
import { MIGRATIONS } from './package.ts';

/** Any number that no other program takes an advisory lock on: "evenkeel" in ASCII. */
const MIGRATION_LOCK = 0x6576656e6b65656cn;

/** After how long what the server does not answer is an error. */
const PATIENCE = { connectMs: 5_000, statementMs: 60_000, readMs: 10_000 };
/** Connections for what is stored and judged, and apart from them for what viewers read. */
const CONNECTIONS = { own: 10, readers: 4 };

export async function openPostgres(
  url: string,
  { connectMs, statementMs, readMs = statementMs }: Omit<typeof PATIENCE, 'readMs'> & { readMs?: number } = PATIENCE,
): Promise<Database> {
  const config: pg.ClientConfig = {
    connectionString: url,
    application_name: 'evenkeel',
    keepAlive: true,
    connectionTimeoutMillis: connectMs,
  };
  await migrateAlone(config).catch((cause) => {
    // Of several addresses that refuse, Node makes one error without a message.
    throw new Error(`the PostgreSQL database does not open: ${cause.message || cause.code}`, { cause });
  });
  const own = openPool({ ...config, statement_timeout: statementMs, max: CONNECTIONS.own }, statementMs + connectMs);
  const readers = openPool({ ...config, statement_timeout: readMs, max: CONNECTIONS.readers }, readMs + connectMs);
  const close = async () => {
    await Promise.all([own, readers].map((pool) => (pool.ending ? undefined : pool.end())));
  };
  return withReaders(
    {
      kind: 'postgres',
      sql: sqlOver(own),
      problem: () => null,
      announce: () => {},
      close,
      [Symbol.asyncDispose]: close,
    },
    sqlOver(readers),
  );
}

/**
 * A connection that breaks is replaced by the pool, and fails what it was doing; without listeners, idle or not, it
 * would end the process.
 */
function openPool(config: pg.PoolConfig, silentMs: number): pg.Pool {
  const pool = new pg.Pool(config);
  pool.on('error', () => {});
  pool.on('connect', (client) => {
    client.on('error', () => {});
    giveUpOnSilence(client, silentMs);
  });
  return pool;
}

/** Several replicas may start at once: one migrates, the others wait for it, however long that takes. */
async function migrateAlone(config: pg.ClientConfig): Promise<void> {
  const client = new pg.Client(config);
  client.on('error', () => {}); // fails the query too
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await migrate(drizzle(client), { migrationsFolder: MIGRATIONS });
  } finally {
    await client.end(); // ends the session, and with it the lock
  }
}

/** A server that is gone without a word does not time its statements out itself. */
function giveUpOnSilence({ connection }: pg.PoolClient, silentMs: number): void {
  const socket = connection.stream as Socket;
  socket.setTimeout(silentMs, () => socket.destroy(new Error('the PostgreSQL server does not answer')));
}

/** Drizzle's own `transaction` would keep the connection for ever where `begin` fails. */
function sqlOver(pool: pg.Pool): Sql {
  const transaction: Sql['transaction'] = async (body) => {
    const client = await pool.connect();
    try {
      return await (drizzle(client) as unknown as Sql).transaction(body);
    } finally {
      client.release();
    }
  };
  return Object.assign(drizzle(pool) as unknown as Sql, { transaction });
}
