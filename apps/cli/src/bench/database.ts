import { join } from 'node:path';
import pg from 'pg';
import { familyTime, parentOf } from './process-usage.ts';

/** What is stored of steps, as opened by whichever build. */
export interface Stored {
  /** Rows of steps and of custom scalars, with their keys. */
  rawBytes: number;
  /** Those and all that is made of them. */
  totalBytes: number;
  steps: number;
}

/** A database that a bench has for itself on a PostgreSQL server. */
export class BenchDatabase {
  readonly url: string;
  readonly #server: string;
  readonly #name: string;
  /** The server's first process, where it runs on this machine. */
  readonly #postmaster: number | null;

  private constructor(server: string, name: string, postmaster: number | null) {
    const url = new URL(server);
    url.pathname = `/${name}`;
    this.url = url.href;
    this.#server = server;
    this.#name = name;
    this.#postmaster = postmaster;
  }

  static async create(server: string): Promise<BenchDatabase> {
    const name = `evenkeel_bench_${Date.now()}`;
    const pid = await withClient(server, async (client) => {
      await client.query(`create database ${name}`);
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      return parentOf(rows[0]?.pid ?? 0);
    });
    return new BenchDatabase(server, name, pid === 0 ? null : pid);
  }

  /** CPU time of all processes of the PostgreSQL server in milliseconds; NaN where they run elsewhere. */
  get cpuMs(): number {
    return this.#postmaster === null ? Number.NaN : familyTime(this.#postmaster);
  }

  stored(): Promise<Stored> {
    return withClient(this.url, async (client) => {
      const { rows } = await client.query<Record<keyof Stored, string>>(STORED);
      return asNumbers(rows[0]);
    });
  }

  /** Drops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await withClient(this.#server, (client) => client.query(`drop database ${this.#name} with (force)`));
  }
}

const STORED = `
  select coalesce(sum(pg_total_relation_size(oid)) filter (where relname in ('step', 'scalar_values')), 0) as "rawBytes",
    coalesce(sum(pg_total_relation_size(oid)), 0) as "totalBytes", (select count(*) from step) as steps
  from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`;

/** The same of an embedded database whose server has stopped, as that left it: nothing is migrated. */
export async function storedIn(dataDir: string): Promise<Stored> {
  const { PGlite } = await import('@electric-sql/pglite'); // takes a while to load
  const db = await PGlite.create(join(dataDir, 'postgres'));
  try {
    const { rows } = await db.query<Record<keyof Stored, string>>(STORED);
    return asNumbers(rows[0]);
  } finally {
    await db.close();
  }
}

function asNumbers(row: Record<keyof Stored, string> | undefined): Stored {
  if (!row) throw new Error('the database did not report what is stored');
  return { rawBytes: Number(row.rawBytes), totalBytes: Number(row.totalBytes), steps: Number(row.steps) };
}

async function withClient<Result>(url: string, act: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await act(client);
  } finally {
    await client.end();
  }
}
