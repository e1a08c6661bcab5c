import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { Worker } from 'node:worker_threads';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { isTimeout } from './database.ts';
import { DirectoryHeldError, holderOf } from './drivers/lock.ts';
import { openPostgres } from './drivers/postgres.ts';
import { describeFailure } from './failure.ts';
import { openDatabase } from './open.ts';
import { recentSteps } from './reads/recent-steps.ts';
import { listRuns } from './reads/run-list.ts';
import { createPostgres } from './testing.ts';
import { begin } from './testing-data.ts';
import { aFolder, startChild } from './testing-process.ts';
import { probeIngest } from './writes/probe.ts';

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
    expect(await child.nextReport()).toEqual({ opening: child.pid });
    let report = await child.nextReport();
    while (Number(report.acknowledged) < 1000) report = await child.nextReport();
    await child.kill();
    await using db = await openDatabase({ dataDir });
    const steps = await recentSteps(db, { run: String(report.run), limit: 1_000_000 });
    expect(steps.map(({ step }) => step)).toEqual(steps.map((_, at) => at));
    expect(steps.length).toBeGreaterThan(Number(report.acknowledged));
    expect(steps.length % 16).toBe(0);
  });

  test('half made by a process that was killed is made again', async () => {
    const dataDir = aFolder();
    const child = startChild('insert', dataDir);
    await vi.waitFor(() => expect(existsSync(join(dataDir, 'postgres.new', 'PG_VERSION'))).toBe(true), {
      timeout: 60_000,
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

test('an embedded database whose thread dies fails at once, what waits and what comes', async () => {
  const started = once(process, 'worker');
  const db = await openDatabase({ inMemory: true });
  const [worker] = (await started) as [Worker];
  expect(db.problem()).toBeNull();
  const asked = [db.sql.execute(sql`select pg_sleep(60)`), begin(db), listRuns(db, { limit: 9 })];
  await worker.terminate();
  const answers = await Promise.allSettled([...asked, listRuns(db, { limit: 9 })]);
  const reasons = answers.map(
    (answer) => answer.status === 'rejected' && (answer.reason.cause ?? answer.reason).message,
  );
  expect(reasons).toEqual(answers.map(() => "the database's thread ended"));
  await expect(probeIngest(db)).rejects.toThrow("the database's thread ended");
  expect(db.problem()).toBe('the embedded database has stopped: restart the server');
  await db.close();
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

  test.for([
    ['that is not there', 'postgres://nobody:hunter2@127.0.0.1:1/none', 'ECONNREFUSED'],
    ['whose address is broken', 'postgres://nobody:hunter2@127.0.0.1:x/none', 'Invalid URL'],
    ['whose host has no address', 'postgres://nobody:hunter2@none.invalid/none', 'none.invalid'],
  ])('%s is an error without the password', async ([_, url = '', reason = '']) => {
    const error = await openDatabase({ url }).catch((error: Error) => error);
    expect(String(error)).toContain(`the PostgreSQL database does not open: `);
    expect(String(error)).toContain(reason);
    expect(inspect(error)).not.toContain('hunter2');
  });

  test('may end its connections, idle or in a transaction, and serves on', async () => {
    const place = await createPostgres();
    const db = await openDatabase(place);
    const others = sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`;
    const othersLeft = async () => {
      const { rows } = await db.sql.execute<{ count: number }>(sql`select count(*)::int from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()`);
      return rows[0]?.count;
    };
    await Promise.all(Array.from({ length: 3 }, () => listRuns(db, { limit: 9 })));
    await db.sql.execute(others); // ends those that idle
    await expect.poll(othersLeft).toBe(0); // or the next statement may go to one that is about to end
    const cut = db.sql.transaction(async (tx) => {
      await tx.execute(sql`select 1`);
      await db.sql.execute(others);
      await tx.execute(sql`select 2`);
    });
    await expect(cut).rejects.toThrow();
    await expect.poll(othersLeft).toBe(0);
    const run = await begin(db);
    expect(await listRuns(db, { limit: 9 })).toMatchObject([{ id: run }]);
    await db.close();
    await place.drop();
  });

  test('that falls silent is an error, and is used again when it speaks', async () => {
    const place = await createPostgres();
    await using line = await openLine(place.url);
    const db = await openPostgres(line.url, { connectMs: 2_000, statementMs: 2_000 });
    const busy = Array.from({ length: 10 }, () => db.sql.execute(sql`select pg_sleep(0.1)`));
    await Promise.all(busy); // as many connections as it keeps
    line.cut();
    const starts = Array.from({ length: 20 }, () => begin(db).catch((error: Error) => error));
    for (const start of await Promise.all(starts)) expect(start).toBeInstanceOf(Error);
    line.mend();
    const run = await begin(db);
    expect(await listRuns(db, { limit: 9 })).toMatchObject([{ id: run }]);
    await expect(db.sql.execute(sql`select pg_sleep(60)`)).rejects.toMatchObject({
      cause: { message: 'canceling statement due to statement timeout' },
    });
    await db.close();
    await place.drop();
  });

  test('is read on connections of its own, so that readers do not hold up what is stored', async () => {
    const place = await createPostgres();
    const db = await openDatabase(place);
    let endAll = () => {};
    const end = new Promise<void>((resolve) => {
      endAll = resolve;
    });
    const held = Array.from({ length: 20 }, () => db.readers.sql.transaction(() => end).catch(() => {}));
    const run = await begin(db);
    endAll();
    await Promise.all(held);
    expect(await listRuns(db.readers, { limit: 9 })).toMatchObject([{ id: run }]);
    await db.close();
    await place.drop();
  });

  test('is not read for longer than a reader may take', async () => {
    const place = await createPostgres();
    const db = await openPostgres(place.url, { connectMs: 5_000, statementMs: 60_000, readMs: 100 });
    const error = await db.readers.sql.execute(sql`select pg_sleep(60)`).catch((error: unknown) => error);
    expect(isTimeout(error)).toBe(true);
    expect(isTimeout(await db.sql.execute(sql`select 1 / 0`).catch((error: unknown) => error))).toBe(false);
    await db.close();
    await place.drop();
  });

  test('whose connections break, or which does not answer, says so in a sentence, and cannot keep `close` waiting', async () => {
    const place = await createPostgres();
    await using line = await openLine(place.url);
    const db = await openPostgres(line.url, { connectMs: 3_000, statementMs: 60_000 });
    /** What a transaction comes to during which something happens to the line. */
    const during = (happens: () => void) =>
      db.sql
        .transaction(async (tx) => {
          await tx.execute(sql`select 1`);
          happens();
          await tx.execute(sql`select 2`);
        })
        .then(() => 'stored', describeFailure);
    expect(await during(line.break)).toBe('the connection to the database broke');
    line.cut();
    expect(await during(() => {})).toBe('the database does not answer');
    line.mend();
    expect(await during(() => {})).toBe('stored');
    let closed: Promise<void> | undefined;
    const held = during(() => {
      line.cut();
      closed = db.close();
    });
    expect(await held).toBe('the connection to the database broke');
    await closed;
    await place.drop();
  });

  test('that accepts but does not answer is an error', async () => {
    await using line = await openLine('postgres://127.0.0.1:1/none');
    line.cut();
    const timeouts = { connectMs: 100, statementMs: 100 };
    await expect(openPostgres(line.url, timeouts)).rejects.toThrow('does not open: timeout expired');
  });
});

/** A line to a server that can go dead: then nothing passes, and no side gets an error. */
async function openLine(target: string) {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    sockets.add(near.on('error', () => {}));
    if (isCut) return;
    const far = connect(Number(port), hostname).on('error', () => near.destroy());
    sockets.add(far);
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.unpipe();
    },
    mend() {
      isCut = false;
    },
    break() {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
