import type { Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { type Database, type Lane, type Sql, withLanes } from '../database.ts';
import { MIGRATIONS } from '../package.ts';

/** Any number that no other program takes an advisory lock on: "evenkeel" in ASCII. */
const MIGRATION_LOCK = 0x6576656e6b65656cn;

/** Milliseconds without an answer of the server after which a connection, a statement or a read fails. */
const TIMEOUTS = { connectMs: 5_000, statementMs: 60_000, readMs: 10_000 };
/** How long closing waits for what has begun. */
const CLOSE_MS = 5_000;
/** Connections for what is stored, and apart from them for what is made of that and for what viewers read. */
const CONNECTIONS = { own: 8, background: 4, readers: 4 };

export async function openPostgres(
  url: string,
  { connectMs, statementMs, readMs = statementMs }: Omit<typeof TIMEOUTS, 'readMs'> & { readMs?: number } = TIMEOUTS,
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
      ...laneOver(own.pool),
      problem: () => null,
      failed: new Promise(() => {}), // a server that is away may come back
      announce: () => {},
      close,
      [Symbol.asyncDispose]: close,
    },
    { readers: laneOver(readers.pool), background: laneOver(background.pool) },
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

/** A server that disappears without closing its connections cannot time out its own statements. */
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

/** Drizzle's own `transaction` would keep the connection forever if `begin` fails. */
function laneOver(pool: pg.Pool): Lane {
  const withCopy: Lane['withCopy'] = async (body) => {
    const client = await pool.connect();
    try {
      const sql = drizzle(client) as unknown as Sql;
      return await sql.transaction((tx) => body(tx, (table, rows) => copyIn(client, table, rows)));
    } finally {
      client.release();
    }
  };
  const transaction: Sql['transaction'] = (body) => withCopy((tx) => body(tx as Parameters<typeof body>[0]));
  return { sql: Object.assign(drizzle(pool) as unknown as Sql, { transaction }), withCopy };
}

async function copyIn(client: pg.ClientBase, table: string, rows: Buffer): Promise<void> {
  const stream = client.query(copyFrom(`copy ${table} from stdin with (format binary)`));
  stream.end(rows);
  await finished(stream);
}
