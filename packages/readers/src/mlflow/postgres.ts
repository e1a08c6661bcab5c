import { Client } from 'pg';
import type { SqlRow, SqlSource } from '../sql-source.ts';

const PAGE_ROWS = 10_000;

/** A PostgreSQL database that is read as it was when it was opened. */
export class Postgres implements SqlSource {
  readonly #client: Client;
  #cursors = 0;

  private constructor(client: Client) {
    this.#client = client;
  }

  static async open(url: string): Promise<Postgres> {
    // SQLAlchemy names the driver in the scheme, as in postgresql+psycopg2://
    const client = new Client({ connectionString: url.replace(/^(postgres(?:ql)?)\+\w+:/, '$1:') });
    await client.connect();
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return new Postgres(client);
  }

  async *rows(sql: string, ...values: string[]): AsyncGenerator<SqlRow> {
    const cursor = `rows_${++this.#cursors}`;
    await this.#client.query(`DECLARE ${cursor} CURSOR FOR ${sql}`, values);
    for (;;) {
      const page = await this.#client.query<SqlRow>(`FETCH ${PAGE_ROWS} FROM ${cursor}`);
      yield* page.rows;
      if (page.rows.length < PAGE_ROWS) break;
    }
    await this.#client.query(`CLOSE ${cursor}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end();
  }
}
