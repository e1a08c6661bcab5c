/** A row of another tool's database, by column. */
export type SqlRow = Record<string, unknown>;

/** A database that is read. */
export interface SqlSource extends AsyncDisposable {
  /** The rows of a query, a few at a time. @param values what `$1` and so on stand for. */
  rows(sql: string, ...values: string[]): AsyncGenerator<SqlRow>;
}
