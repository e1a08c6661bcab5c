import type { Socket } from 'node:net';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { type Database, type Sql, withLanes } from './database.ts';
import { MIGRATIONS } from './package.ts';

/** Any number that no other program takes an advisory lock on: "evenkeel" in ASCII. */
const MIGRATION_LOCK = 0x6576656e6b65656cn;

/** After how long what the server does not answer is an error. */
const PATIENCE = { connectMs: 5_000, statementMs: 60_000, readMs: 10_000 };
/** How long closing waits for what has begun. */
const CLOSE_MS = 5_000;
/** Connections for what is stored, and apart from them for what is made of that and for what viewers read. */
const CONNECTIONS = { own: 8, background: 4, readers: 4 };

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
  const lane = (max: number, mayTakeMs: number, mayWaitMs = connectMs) => {
    const limits = { max, statement_timeout: mayTakeMs, connectionTimeoutMillis: mayWaitMs };
    return openPool({ ...config, ...limits }, mayTakeMs + connectMs);
  };
  const own = lane(CONNECTIONS.own, statementMs);
  const background = lane(CONNECTIONS.background, statementMs, statementMs); // a thousand runs may wait for one
  const readers = lane(CONNECTIONS.readers, readMs);
  const close = async () => {
    await Promise.all(
      [own, background, readers].map(({ pool, sockets }) => (pool.ending ? undefined : endPool(pool, sockets))),
    );
  };
  return withLanes(
    {
      kind: 'postgres',
      sql: sqlOver(own.pool),
      problem: () => null,
      failed: new Promise(() => {}), // a server that is away may come back
      announce: () => {},
      close,
      [Symbol.asyncDispose]: close,
    },
    { readers: sqlOver(readers.pool), background: sqlOver(background.pool) },
  );
}

/**
 * A connection that breaks is replaced by the pool, and fails what it was doing; without listeners, idle or not, it
 * would end the process.
 */
function openPool(config: pg.PoolConfig, silentMs: number): { pool: pg.Pool; sockets: ReadonlySet<Socket> } {
  const pool = new pg.Pool(config);
  pool.on('error', () => {});
  const sockets = new Set<Socket>();
  pool.on('connect', (client) => {
    client.on('error', () => {});
    const socket = client.connection.stream as Socket;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    giveUpOnSilence(socket, silentMs);
  });
  return { pool, sockets };
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
function giveUpOnSilence(socket: Socket, silentMs: number): void {
  const silent = Object.assign(new Error('the PostgreSQL server does not answer'), { code: 'ETIMEDOUT' });
  socket.setTimeout(silentMs, () => socket.destroy(silent));
}

/** Waits for what has begun, but not for a server that does not answer: its connections are cut. */
async function endPool(pool: pg.Pool, sockets: ReadonlySet<Socket>): Promise<void> {
  const cut = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, CLOSE_MS);
  await pool.end().finally(() => clearTimeout(cut));
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
