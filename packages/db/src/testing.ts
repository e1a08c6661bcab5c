import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, inject } from 'vitest';
import type { Database } from './database.ts';
import { openDatabase } from './open.ts';

/** The same tests on both databases; `url` is null on PGlite. */
export function describeDatabases(name: string, tests: (db: () => Database, url: () => string | null) => void): void {
  describe(`${name} on PGlite`, () => withDatabase(async () => ({ url: null, drop: async () => {} }), tests));
  describe.skipIf(!inject('postgresUrl'))(`${name} on PostgreSQL`, () => withDatabase(createPostgres, tests));
}

interface Place {
  url: string | null;
  drop(): Promise<void>;
}

function withDatabase(
  create: () => Promise<Place>,
  tests: (db: () => Database, url: () => string | null) => void,
): void {
  let place: Place;
  let db: Database;
  beforeAll(async () => {
    place = await create();
    db = await openDatabase(place.url ? { url: place.url } : { inMemory: true });
  });
  afterAll(async () => {
    await db.close();
    await place.drop();
  });
  tests(
    () => db,
    () => place.url,
  );
}

/** A database of its own on the server that the tests were given. */
export async function createPostgres(): Promise<Place & { url: string }> {
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
