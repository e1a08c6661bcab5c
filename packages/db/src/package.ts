import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** This package's folder. Found by name, since a server's bundle holds this code somewhere else. */
export const PACKAGE = dirname(createRequire(import.meta.url).resolve('@evenkeel/db/package.json'));

export const MIGRATIONS = join(PACKAGE, 'migrations');
