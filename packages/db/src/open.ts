import type { Database } from './database.ts';
import { openDirectory, openInMemory } from './drivers/pglite/open.ts';
import { openPostgres } from './drivers/postgres.ts';

/**
 * An embedded database in a directory of its own, a PostgreSQL server's, or one that ends with the process: empty, or as
 * the file `packed` has it, which PGlite's `dumpDataDir` wrote.
 */
export type DatabaseTarget = { dataDir: string } | { url: string } | { inMemory: true; packed?: string };

/**
 * Opens a database and brings it up to date. A missing data directory is made, for its owner alone.
 * @throws DirectoryHeldError where another process has the data directory open.
 */
export async function openDatabase(target: DatabaseTarget): Promise<Database> {
  if ('url' in target) return openPostgres(target.url);
  return 'dataDir' in target ? openDirectory(target.dataDir) : openInMemory(target.packed);
}
