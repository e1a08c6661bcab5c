import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import { type Database, type Lane, type Sql, withLanes } from '../../database.ts';
import { MIGRATIONS } from '../../package.ts';
import { type DirectoryLock, lockDirectory } from '../lock.ts';
import { connectPglite, type PgliteClient, type PgliteConnection } from './client.ts';
import { Space } from './space.ts';
import { keepUp } from './upkeep.ts';

/** @throws DirectoryHeldError where another process has it open; Error where its disk is full. */
export async function openDirectory(dataDir: string): Promise<Database> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const data = join(resolve(dataDir), 'postgres');
  const space = new Space(dataDir);
  await (existsSync(data) ? space.check() : space.checkForNew()); // opening writes too, and would hang
  const lock = await lockDirectory(dataDir);
  try {
    await ensureMade(data);
    return databaseOf(await openMigrated(data), lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** A database that lives as long as it is open. */
export async function openInMemory(packed?: string): Promise<Database> {
  return databaseOf(await openMigrated(null, packed), null);
}

/**
 * A directory half made, by a process that was killed as it made it, looks like a broken one. So it is made
 * under another name, and gets its own only once it is whole.
 */
async function ensureMade(data: string): Promise<void> {
  if (existsSync(data)) return;
  const unfinished = `${data}.new`;
  await rm(unfinished, { recursive: true, force: true });
  const client = await openMigrated(unfinished);
  await client.close();
  await rename(unfinished, data);
}

async function openMigrated(data: string | null, packed?: string): Promise<PgliteClient> {
  const client = await connectPglite(data, packed).catch((cause) => {
    throw new Error(`the database in ${data ?? 'memory'} does not open: ${cause.message}`, { cause });
  });
  try {
    await migrate(drizzleOver(client), { migrationsFolder: MIGRATIONS });
    client.opened();
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

function databaseOf(client: PgliteClient, lock: DirectoryLock | null): Database {
  const stopUpkeep = keepUp(client);
  const close = once(async () => {
    stopUpkeep();
    await client.close().finally(() => lock?.release());
  });
  return withLanes(
    {
      kind: 'pglite',
      ...laneOver(client),
      problem: () => client.problem,
      failed: client.failed,
      announce: (url) => lock?.announce(url),
      close,
      [Symbol.asyncDispose]: close,
    },
    { readers: laneOver(client.readers), background: laneOver(client.background) },
  );
}

function once(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= action());
}

function laneOver(client: PgliteConnection): Lane {
  const sqlOver = (connection: Pick<PgliteConnection, 'query'>) => drizzleOver(connection) as unknown as Sql;
  return {
    sql: sqlOver(client),
    withCopy: (body) =>
      client.transaction((tx) =>
        body(sqlOver(tx), async (table, rows) => {
          await tx.query(`copy ${table} from '/dev/blob' with (format binary)`, [], { blob: rows });
        }),
      ),
  };
}

/** The client is a PGlite as far as drizzle's driver asks. */
function drizzleOver(client: Pick<PgliteConnection, 'query'>) {
  return drizzle(client as unknown as PGlite);
}
