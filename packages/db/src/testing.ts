import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres';
import { migrate as migratePostgres } from 'drizzle-orm/node-postgres/migrator';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import pg from 'pg';
import { afterAll, beforeAll, describe, inject } from 'vitest';
import type { Database } from './database.ts';
import { type DatabaseTarget, openDatabase } from './open.ts';
import { MIGRATIONS } from './package.ts';
import { openTestDatabase } from './testing-template.ts';

/** Gets the database and, on PostgreSQL, its address, both known once a test runs; what is of one kind asks for that. */
type DatabaseTests = (db: () => Database, url: () => string | null, kind: Database['kind']) => void;

/** The same tests on both databases. */
export function describeDatabases(name: string, tests: DatabaseTests): void {
  const nowhere = async () => ({ url: null, drop: async () => {} });
  describe(`${name} on PGlite`, () => withDatabase('pglite', nowhere, tests));
  describe.skipIf(!inject('postgresUrl'))(`${name} on PostgreSQL`, () =>
    withDatabase('postgres', createPostgres, tests),
  );
}

interface TestDatabase {
  url: string | null;
  drop(): Promise<void>;
}

function withDatabase(kind: Database['kind'], create: () => Promise<TestDatabase>, tests: DatabaseTests): void {
  let place: TestDatabase;
  let db: Database;
  beforeAll(async () => {
    place = await create();
    db = await (place.url ? openDatabase({ url: place.url }) : openTestDatabase());
  });
  afterAll(async () => {
    await db.close();
    await place.drop();
  });
  tests(
    () => db,
    () => place.url,
    kind,
  );
}

/** A database of its own on the server that the tests were given. */
export async function createPostgres(): Promise<TestDatabase & { url: string }> {
  const server = inject('postgresUrl') ?? '';
  const name = `evenkeel_test_${randomUUID().replaceAll('-', '')}`;
  const admin = async (sql: string) => {
    const client = new pg.Client(server);
    await client.connect();
    await client.query(sql);
    await client.end();
  };
  await admin(`create database ${name}`);
  const url = new URL(server);
  url.pathname = name;
  return { url: url.href, drop: () => admin(`drop database ${name} with (force)`) };
}

/** A copy of the first `count` migrations in a folder, as an older version of this package shipped them. */
export function formerMigrations(folder: string, count: number): string {
  const former = join(folder, 'migrations');
  cpSync(MIGRATIONS, former, { recursive: true });
  const path = join(former, 'meta', '_journal.json');
  const journal = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...journal, entries: journal.entries.slice(0, count) }));
  return former;
}

/** A database as an older version left it: by table, in an order that foreign keys allow, the rows as JSON. */
interface FormerDatabase {
  migrations: number;
  rows: Record<string, readonly unknown[]>;
}

/** The same tests on what an older version left of both databases; nothing has opened them since. */
export function describeFormerDatabases(
  name: string,
  former: FormerDatabase,
  tests: (target: () => DatabaseTarget) => void,
): void {
  describe(`${name} on PGlite`, () => withFormer(() => formerDirectory(former), tests));
  describe.skipIf(!inject('postgresUrl'))(`${name} on PostgreSQL`, () =>
    withFormer(() => formerPostgres(former), tests),
  );
}

type FormerTestDatabase = { target: DatabaseTarget; drop(): Promise<void> };

function withFormer(make: () => Promise<FormerTestDatabase>, tests: (target: () => DatabaseTarget) => void): void {
  let place: FormerTestDatabase;
  beforeAll(async () => {
    place = await make();
  });
  afterAll(() => place.drop());
  tests(() => place.target);
}

async function formerDirectory({ migrations, rows }: FormerDatabase): Promise<FormerTestDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-former-'));
  const client = new PGlite(join(folder, 'postgres'));
  await migrate(drizzle(client), { migrationsFolder: formerMigrations(folder, migrations) });
  for (const [table, values] of Object.entries(rows)) await client.query(insertOf(table), [JSON.stringify(values)]);
  await client.close();
  return { target: { dataDir: folder }, drop: async () => rmSync(folder, { recursive: true, force: true }) };
}

async function formerPostgres({ migrations, rows }: FormerDatabase): Promise<FormerTestDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-former-'));
  const { url, drop } = await createPostgres();
  const client = new pg.Client(url);
  await client.connect();
  await migratePostgres(drizzlePostgres(client), { migrationsFolder: formerMigrations(folder, migrations) });
  for (const [table, values] of Object.entries(rows)) await client.query(insertOf(table), [JSON.stringify(values)]);
  await client.end();
  rmSync(folder, { recursive: true });
  return { target: { url }, drop };
}

function insertOf(table: string): string {
  return `insert into ${table} overriding system value select * from json_populate_recordset(null::${table}, $1)`;
}
