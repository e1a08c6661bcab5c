import { randomUUID } from 'node:crypto';
import { encodeSteps } from '@evenkeel/protocol';
import pg from 'pg';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { send, startTestGateway, stepsFrom, type TestGateway } from './testing.ts';

const SERVER = inject('postgresUrl') ?? '';

async function query(sql: string, url = SERVER): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

/** A database of its own on PostgreSQL, a gateway over it whose clock the test moves, and another session. */
async function onPostgres() {
  const name = `evenkeel_health_${randomUUID().replaceAll('-', '')}`;
  await query(`create database ${name}`);
  const url = new URL(SERVER);
  url.pathname = name;
  let skipped = 0;
  const now = () => new Date(Date.now() + skipped);
  const server = await startTestGateway({ now, target: { url: url.href } });
  const other = new pg.Client(url.href);
  await other.connect();
  onTestFinished(async () => {
    await other.end();
    await server[Symbol.asyncDispose]();
    await query(`drop database ${name} with (force)`);
  });
  const skip = (seconds: number) => {
    skipped += 1_000 * seconds;
  };
  return { server, other, name, skip };
}

/** What a monitor sees of both. */
async function healthOf({ gateway }: TestGateway) {
  const { status, reasons } = await gateway.ready();
  return { live: gateway.live().status, ready: status, reasons };
}

const frameOf = (run: string, first: number, count = 1) =>
  encodeSteps({ run, attempt: 1, steps: stepsFrom(first, count) });

const HEALTHY = { live: 'ok', ready: 'ok', reasons: [] };
/** Soon: a probe that a busy machine does not answer within a second says so, and the next one is of the database. */
const reports = (server: TestGateway, expected: unknown) => expect.poll(() => healthOf(server)).toEqual(expected);
const failing = (reason: string) => ({ live: 'ok', ready: 'failing', reasons: [reason] });

describe.skipIf(!SERVER)('health on PostgreSQL', () => {
  test('a read-only database is not ready, with and without steps coming, and the server stays alive', async () => {
    const { server, other, name, skip } = await onPostgres();
    const { run, socket } = await server.emitter();
    await reports(server, HEALTHY);
    const setReadOnly = async (value: 'on' | 'off') => {
      await other.query('set default_transaction_read_only = off');
      await other.query(`alter database ${name} set default_transaction_read_only = ${value}`);
      const isOther = `datname = '${name}' and pid <> pg_backend_pid()`;
      await other.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${isOther}`);
    };
    await setReadOnly('on');
    await expect
      .poll(
        () => {
          skip(3); // what was probed last counts no longer
          return healthOf(server);
        },
        { interval: 200 },
      )
      .toEqual(failing('the database is read-only'));
    const refused = await send(socket, 'steps', frameOf(run, 0));
    expect(refused).toMatchObject({ retry: true });
    await reports(server, failing('the database is read-only'));
    await setReadOnly('off');
    await expect.poll(() => send(socket, 'steps', frameOf(run, 0))).toEqual({ ok: true });
    await reports(server, HEALTHY);
    const { ingest } = await server.gateway.ready();
    expect(ingest).toMatchObject({ unacknowledgedBatches: 0, lastCommit: { stored: true } });
  });

  test('a table `run` that another session has locked is not ready, with and without steps coming', async () => {
    const { server, other, skip } = await onPostgres();
    const { run, socket } = await server.emitter();
    await other.query('begin; lock table run in exclusive mode');
    const locked = failing('a table that steps are stored in is locked');
    await reports(server, locked);
    const ack = send(socket, 'steps', frameOf(run, 0));
    await expect.poll(() => server.gateway.live().ingest.commitInFlightMs).not.toBeNull();
    expect(server.gateway.live().ingest).toMatchObject({ unacknowledgedBatches: 1 });
    await reports(server, locked);
    skip(20);
    expect(await healthOf(server)).toMatchObject({
      live: 'ok',
      ready: 'failing',
      reasons: [expect.stringMatching(/^a commit of steps has waited for the database for [2-9]\d seconds$/)],
    });
    await other.query('rollback');
    expect(await ack).toEqual({ ok: true });
    await reports(server, HEALTHY);
  });

  test('a database that fails just after it stored steps, or was probed, is reported within two seconds', async () => {
    const { server, other, skip } = await onPostgres();
    const { run, socket } = await server.emitter();
    for (const isStoring of [true, false]) {
      if (isStoring) expect(await send(socket, 'steps', frameOf(run, 0))).toEqual({ ok: true });
      else skip(60);
      await reports(server, HEALTHY);
      await other.query('begin; lock table run in exclusive mode');
      skip(1);
      expect(await healthOf(server)).toMatchObject({ live: 'ok', ready: 'failing' });
      await other.query('rollback');
    }
  });

  test('a database that does not answer is not ready, and one probe waits for it, however often one asks', async () => {
    const { server, other } = await onPostgres();
    // All connections of the pool are taken, as by a server that stands still.
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const transactions = Array.from({ length: 10 }, () => server.db.sql.transaction(() => held));
    const silent = failing('the database does not answer');
    expect(await Promise.all([1, 2, 3].map(() => healthOf(server)))).toEqual([silent, silent, silent]);
    release();
    await Promise.all(transactions);
    await reports(server, HEALTHY);
    const { rows } = await other.query('select xact_rollback from pg_stat_database where datname = current_database()');
    expect(Number(rows[0].xact_rollback)).toBeLessThanOrEqual(3);
  });
});

test('an embedded database with a backlog stays live and ready, as long as commits come to an end', async () => {
  let clock = Date.now(); // stands still: however slow the machine is, the last commit has just come to its end
  await using server = await startTestGateway({ now: () => new Date(clock) });
  const { run, socket } = await server.emitter();
  const acks = Array.from({ length: 12 }, (_, at) => socket.emitWithAck('steps', frameOf(run, 1_024 * at, 1_024)));
  await expect.poll(() => server.gateway.live().ingest.lastCommit).not.toBeNull();
  let isDone = false;
  const all = Promise.all(acks).then((answers) => {
    isDone = true;
    return answers;
  });
  const seen = [];
  while (!isDone) {
    seen.push(await healthOf(server));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await all).toEqual(acks.map(() => ({ ok: true })));
  expect(seen).toEqual(seen.map(() => HEALTHY));
  clock += 3_600_000; // an hour without steps
  await reports(server, HEALTHY);
});

test('a server in which no commit comes to an end for minutes, though batches wait, is not alive', async () => {
  let skipped = 0;
  await using server = await startTestGateway({ now: () => new Date(Date.now() + skipped) });
  const { run, socket } = await server.emitter();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const transaction = server.db.sql.transaction(() => held);
  const ack = send(socket, 'steps', frameOf(run, 0));
  await expect.poll(() => server.gateway.live().ingest.commitInFlightMs).not.toBeNull();
  skipped = 60_000;
  expect(await healthOf(server)).toMatchObject({ live: 'ok', ready: 'failing' });
  skipped = 601_000;
  expect(await healthOf(server)).toMatchObject({
    live: 'failing',
    reasons: [expect.stringMatching(/^no commit of steps has ended for 6\d\d seconds, though batches wait$/)],
  });
  release();
  await transaction;
  expect(await ack).toEqual({ ok: true });
  await reports(server, HEALTHY);
});
