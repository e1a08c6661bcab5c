import { existsSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { Database } from './database.ts';
import { openDatabase } from './open.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder with an empty database that is up to date: `postgres`, and the same packed as `packed.tar`. */
    databaseTemplate: string;
  }
}

/** An empty database in memory. PGlite needs seconds to make one, and a tenth of that to start from a template. */
export function openTestDatabase(): Promise<Database> {
  return openDatabase({ inMemory: true, packed: join(inject('databaseTemplate'), 'packed.tar') });
}

/** Puts an empty database where a data directory has none, as the first start of a server would. */
export async function makeDataDir(dataDir: string): Promise<void> {
  const data = join(dataDir, 'postgres');
  if (!existsSync(data)) await cp(join(inject('databaseTemplate'), 'postgres'), data, { recursive: true });
}
