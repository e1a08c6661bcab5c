import { randomUUID } from 'node:crypto';
import { getRun, listAlerts } from '@evenkeel/db';
import { encodeSteps } from '@evenkeel/protocol';
import pg from 'pg';
import type { Socket } from 'socket.io-client';
import { afterEach, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { BEGAN, connected, send, startOf, startTestGateway, stepsFrom, type TestGateway } from './testing.ts';

const SWEEP_SECONDS = 10;

let server: TestGateway;
let seconds: number;
const now = () => new Date(Date.UTC(2026, 0, 1) + 1_000 * seconds);
beforeEach(async () => {
  seconds = 0;
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  server = await startTestGateway({ now });
});
afterEach(async () => {
  vi.useRealTimers();
  await server[Symbol.asyncDispose]();
});

/** A run that has logged a step each second until now. */
async function healthyRun() {
  const emitter = await server.emitter();
  await logSteps(emitter, 0, 20);
  return emitter;
}

function frameOf(run: string, first: number, count: number) {
  const steps = stepsFrom(first, count).map((step) => ({ ...step, time: BEGAN + 1_000 * step.step }));
  return encodeSteps({ run, attempt: 1, steps });
}

async function logSteps({ run, socket }: { run: string; socket: Socket }, first: number, count: number) {
  expect(await send(socket, 'steps', frameOf(run, first, count))).toEqual({ ok: true });
  await server.gateway.settled(); // judged before the clock moves on
}

/** Lets time pass as it does for a server that runs: a sweep every ten seconds, each awaited. */
async function pass(total: number) {
  for (let passed = 0; passed < total; passed += SWEEP_SECONDS) await sweepAfter(SWEEP_SECONDS);
}

async function sweepAfter(later: number) {
  seconds += later;
  vi.advanceTimersByTime(1_000 * SWEEP_SECONDS);
  await server.gateway.settled();
}

async function seen(run: string) {
  const alerts = await listAlerts(server.db, { run, limit: 10 });
  const { status } = (await getRun(server.db, run)) ?? {};
  return { status, alerts: alerts.map(({ rule, severity, status }) => `${rule} ${severity} ${status}`) };
}

const RUNNING = { status: 'running', alerts: [] };
const STALLED = { status: 'running', alerts: ['stalled warning open'] };

test('a run that falls silent is alerted as stalled after a minute, while the server runs', async () => {
  const { run } = await healthyRun();
  await pass(60);
  expect(await seen(run)).toEqual(RUNNING);
  await pass(10);
  expect(await seen(run)).toEqual(STALLED);
});

test('false stalled alerts: none after the server stood still for 90 s, and a run that stays silent is alerted', async () => {
  const healthy = await healthyRun();
  const silent = await healthyRun();
  await sweepAfter(90); // the timer is as late as the process stood still
  expect(await seen(healthy.run)).toEqual(RUNNING);
  await pass(20);
  await logSteps(healthy, 20, 1);
  await pass(40);
  expect([await seen(healthy.run), await seen(silent.run)]).toEqual([RUNNING, RUNNING]);
  await pass(10);
  expect([await seen(healthy.run), await seen(silent.run)]).toEqual([RUNNING, STALLED]);
});

test('a reconnect restarts the clock: no stalled alert though the emitter was away for 50 s of 70', async () => {
  const { run, socket } = await healthyRun();
  await server.disconnect(socket);
  await pass(50);
  socket.connect();
  await connected(socket);
  await send(socket, 'run:start', startOf(run));
  await pass(60);
  expect(await seen(run)).toEqual(RUNNING);
  await pass(10);
  expect(await seen(run)).toEqual(STALLED);
});

test('a run whose batch is refused for now is not silent', async () => {
  const { run, socket } = await healthyRun();
  const other = await healthyRun();
  await send(socket, 'run:start', startOf(other.run)); // both on one connection, which the first fills
  await pass(50);
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const transaction = server.db.sql.transaction(() => held); // nothing is stored meanwhile
  const padding = 'x'.repeat(1024 * 1024);
  for (let step = 20; step < 36; step++)
    socket.emit('steps', { run, attempt: 1, steps: [{ step, time: BEGAN }], padding });
  const steps = [{ step: 20, time: BEGAN + 20_000 }];
  const refused = await send(socket, 'steps', { run: other.run, attempt: 1, steps, padding });
  expect(refused).toMatchObject({ retry: true });
  release();
  await transaction;
  await server.gateway.settled();
  await pass(60);
  expect(await seen(other.run)).toEqual(RUNNING);
  await pass(10);
  expect(await seen(other.run)).toEqual(STALLED);
});

test('a run whose emitter went just before the server stood still becomes lost a minute after, not at once', async () => {
  const { run, socket } = await healthyRun();
  await server.disconnect(socket);
  await sweepAfter(90);
  expect(await seen(run)).toEqual(RUNNING);
  await pass(50);
  expect(await seen(run)).toEqual(RUNNING);
  await pass(20);
  expect(await seen(run)).toMatchObject({ status: 'lost' });
});

describe.skipIf(!inject('postgresUrl'))('while PostgreSQL was away for 90 s', () => {
  /** The server over a database of its own, and what takes that away and brings it back. */
  async function onPostgres() {
    await server[Symbol.asyncDispose]();
    const name = `evenkeel_silence_${randomUUID().replaceAll('-', '')}`;
    const admin = new pg.Client(inject('postgresUrl') ?? '');
    await admin.connect();
    await admin.query(`create database ${name}`);
    const url = new URL(inject('postgresUrl') ?? '');
    url.pathname = name;
    server = await startTestGateway({ now, target: { url: url.href } });
    onTestFinished(async () => {
      await server.db.close();
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    });
    const setAway = async (isAway: boolean) => {
      await admin.query(`alter database ${name} allow_connections ${!isAway}`);
      if (isAway)
        await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
    };
    return setAway;
  }

  test('no run is alerted as stalled or lost when it is back, and one that stays silent is later', async () => {
    const setAway = await onPostgres();
    const healthy = await healthyRun();
    const silent = await healthyRun();
    await server.disconnect(silent.socket);
    await pass(10);
    await setAway(true);
    const frame = frameOf(healthy.run, 20, 1);
    for (let outage = 0; outage < 90; outage += SWEEP_SECONDS) {
      await pass(10);
      expect(await send(healthy.socket, 'steps', frame)).toMatchObject({ retry: true });
    }
    await setAway(false);
    await expect.poll(() => send(healthy.socket, 'steps', frame)).toEqual({ ok: true });
    await pass(50);
    expect([await seen(healthy.run), await seen(silent.run)]).toEqual([RUNNING, RUNNING]);
    await logSteps(healthy, 21, 1);
    await pass(30);
    expect(await seen(healthy.run)).toEqual(RUNNING);
    expect(await seen(silent.run)).toMatchObject({ status: 'lost' });
    await pass(40);
    expect(await seen(healthy.run)).toEqual(STALLED);
  });
});
