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

/** Inserts rows of the binary format of COPY into a table, of which the columns are named in parentheses. */
export type CopyIn = (table: string, rows: Buffer) => Promise<void>;

/** One way to a database: over connections of its own, or behind what goes other ways. */
export interface Lane {
  /** For this package alone. */
  readonly sql: Sql;
  /** A transaction in which rows can be copied in, too. */
  readonly withCopy: <Result>(body: (tx: Sql, copyIn: CopyIn) => Promise<Result>) => Promise<Result>;
}

/** An open database. Its verbs are this package's functions. */
export interface Database extends Lane, AsyncDisposable {
  readonly kind: 'pglite' | 'postgres';
  /** Why no statement can succeed any more in this process, as a sentence; null while one can. */
  readonly problem: () => string | null;
  /** Resolves with that sentence when it comes to that, and never where the database was closed before. */
  readonly failed: Promise<string>;
  /**
   * The same database for what viewers read, which may wait: embedded, behind what is being stored; on PostgreSQL, on
   * connections of its own, where a statement may take ten seconds.
   */
  readonly readers: Database;
  /**
   * The same database for what is made of stored steps, judgements and rollups, which waits for what is being stored: on
   * PostgreSQL on a few connections of its own, so that a thousand runs that are judged at once do not take all.
   */
  readonly background: Database;
  /** Publishes the address of this server to processes that find the data directory held. Does nothing on PostgreSQL. */
  announce(url: string): void;
  close(): Promise<void>;
}

/** A database of which readers and what goes on in the background go other ways. */
export function withLanes(
  database: Omit<Database, 'readers' | 'background'>,
  lanes: { readers: Lane; background: Lane },
): Database {
  const over = (lane: Lane): Database => ({
    ...database,
    ...lane,
    get readers() {
      return readers;
    },
    get background() {
      return background;
    },
  });
  const [readers, background] = [over(lanes.readers), over(lanes.background)];
  return { ...database, readers, background };
}

/** "Query canceled": what PostgreSQL says of a statement that took too long. */
const QUERY_CANCELED = '57014';

/** Whether a statement failed because it took longer than it may. */
export function isTimeout(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === QUERY_CANCELED;
}

/** Drizzle's own message holds the statement and every parameter, maybe megabytes of them, but not what went wrong. */
export function throwCause(error: Error): never {
  throw error.cause ?? error;
}

/**
 * The row of an aggregate without groups, which always has one.
 * @throws Error where there is none: an answer that is missing must not read as 0.
 */
export function onlyRow<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined) throw new Error('the database returned no row');
  return row;
}

/** The pattern of `like` for what holds some words anywhere, which are taken as they are. */
export function containing(words: string): string {
  return `%${words.replace(/[\\%_]/g, '\\$&')}%`;
}
