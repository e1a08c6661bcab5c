import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { DirectoryHeldError, holderOf } from './lock.ts';
import { openDatabase } from './open.ts';
import { recentSteps } from './recent-steps.ts';
import { listRuns } from './run.ts';
import { createPostgres } from './testing.ts';
import { begin } from './testing-data.ts';
import { aFolder, startChild } from './testing-process.ts';

describe('a data directory', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-db-'));
  const made = join(folder, 'deep', 'data'); // takes seconds, so once
  beforeAll(async () => (await openDatabase({ dataDir: made })).close());
  afterAll(() => rmSync(folder, { recursive: true }));

  test('is made for its owner alone, held while it is open, and keeps what was written', async () => {
    const dataDir = made;
    const db = await openDatabase({ dataDir });
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    const run = await begin(db);
    db.announce('http://127.0.0.1:4870');
    await expect(openDatabase({ dataDir })).rejects.toThrow(DirectoryHeldError);
    expect(await holderOf(dataDir)).toEqual({ pid: process.pid, url: 'http://127.0.0.1:4870' });
    await db.close();
    await db.close();
    expect(await holderOf(dataDir)).toBeNull();
    await using again = await openDatabase({ dataDir });
    expect(await listRuns(again, { limit: 9 })).toMatchObject([{ id: run }]);
  });

  test('keeps every acknowledged step when its process is killed', async () => {
    const dataDir = aFolder();
    cpSync(join(made, 'postgres'), join(dataDir, 'postgres'), { recursive: true });
    const child = startChild('insert', dataDir);
    expect(await child.told()).toEqual({ opening: child.pid });
    let told = await child.told();
    while (Number(told.acknowledged) < 1000) told = await child.told();
    await child.kill();
    await using db = await openDatabase({ dataDir });
    const steps = await recentSteps(db, { run: String(told.run), limit: 1_000_000 });
    expect(steps.map(({ step }) => step)).toEqual(steps.map((_, at) => at));
    expect(steps.length).toBeGreaterThan(Number(told.acknowledged));
    expect(steps.length % 16).toBe(0);
  });

  test('half made by a process that was killed is made anew', async () => {
    const dataDir = aFolder();
    const child = startChild('insert', dataDir);
    await vi.waitFor(() => expect(existsSync(join(dataDir, 'postgres.new', 'PG_VERSION'))).toBe(true), {
      timeout: 30_000,
      interval: 5,
    });
    await child.kill();
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false);
    await using db = await openDatabase({ dataDir });
    expect(await listRuns(db, { limit: 9 })).toEqual([]);
  });

  test('that is broken is refused, left as it is, and free', async () => {
    const dataDir = aFolder();
    mkdirSync(join(dataDir, 'postgres'));
    writeFileSync(join(dataDir, 'postgres', 'PG_VERSION'), '9');
    await expect(openDatabase({ dataDir })).rejects.toThrow(join(dataDir, 'postgres'));
    expect(existsSync(join(dataDir, 'postgres', 'PG_VERSION'))).toBe(true);
    expect(await holderOf(dataDir)).toBeNull();
  });
});

describe.skipIf(!inject('postgresUrl'))('a PostgreSQL database', () => {
  test('is brought up to date once by replicas that start together', async () => {
    const place = await createPostgres();
    const replicas = await Promise.all(Array.from({ length: 4 }, () => openDatabase(place)));
    const run = await begin(replicas[0] as (typeof replicas)[0]);
    for (const replica of replicas) expect(await listRuns(replica, { limit: 9 })).toMatchObject([{ id: run }]);
    await Promise.all(replicas.map((replica) => replica.close()));
    await place.drop();
  });

  test('that is not there is an error', async () => {
    await expect(openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none' })).rejects.toThrow('ECONNREFUSED');
  });
});
