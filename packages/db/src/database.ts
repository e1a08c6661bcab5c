import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';

interface Rows<Row> {
  rows: Row[];
}

/** What both drivers have in common: a result has rows. */
interface RowsHKT extends PgQueryResultHKT {
  type: Rows<this['row']>;
}

/** Drizzle over either driver, or a transaction of it. */
export type Sql = PgDatabase<RowsHKT, Record<string, never>>;

/** An open database. Its verbs are this package's functions. */
export interface Database extends AsyncDisposable {
  readonly kind: 'pglite' | 'postgres';
  /** For this package alone. */
  readonly sql: Sql;
  /** Why no statement can succeed any more in this process, as a sentence; null while one can. */
  readonly problem: () => string | null;
  /** Tells whoever finds the data directory held where its holder serves. Means nothing on PostgreSQL. */
  announce(url: string): void;
  close(): Promise<void>;
}

/** Drizzle's own message tells the statement and every parameter, maybe megabytes of them, but not what went wrong. */
export function tellCause(error: Error): never {
  throw error.cause ?? error;
}

/** The pattern of `like` for what holds some words anywhere, which are taken as they are. */
export function containing(words: string): string {
  return `%${words.replace(/[\\%_]/g, '\\$&')}%`;
}
