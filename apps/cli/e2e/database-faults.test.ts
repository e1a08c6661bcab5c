import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, temporaryFolder } from '@evenkeel/testing';
import { describe, expect, inject, test } from 'vitest';
import { type EvenkeelProcess, evenkeel, serve } from './evenkeel.ts';
import { type Cluster, startCluster } from './postgres-cluster.ts';
import { smallDisk } from './small-disk.ts';
import { expectShortLog, expectStored, type SteadyEmitters, steadyEmitters } from './steady-emitters.ts';

const { mount, postgres, prlimit } = inject('faults');

const HEALTHY = { live: 200, ready: 200, reasons: [] };

/** What a monitor sees; both of its questions give the same reasons. */
async function healthOf({ url }: { url: string }) {
  const [live, ready] = await Promise.all([fetch(`${url}/healthz`), fetch(`${url}/readyz`)]);
  const [beside, { reasons }] = [(await live.json()).ready, await ready.json()];
  if (live.ok) expect(beside).toMatchObject({ status: reasons.length === 0 ? 'ok' : 'failing' });
  return { live: live.status, ready: ready.status, reasons };
}

/** A monitor that asks all the time sees this. */
async function reports(server: EvenkeelProcess & { url: string }, expected: unknown): Promise<void> {
  await expect.poll(() => healthOf(server), { interval: 50 }).toEqual(expected);
}

/** Resolves when some more steps are acknowledged. */
async function goingOn(emitters: SteadyEmitters): Promise<void> {
  const before = emitters.acknowledged();
  await expect.poll(emitters.acknowledged).toBeGreaterThan(before + 100);
}

async function stop(server: EvenkeelProcess): Promise<void> {
  server.child.kill('SIGTERM');
  expect(await server.ended).toBe(0);
}

describe.skipIf(!mount)('a full disk under the embedded database', () => {
  test('is reported and refuses steps until there is space again, and none is lost', async () => {
    using disk = smallDisk(300);
    await using server = await serve(`${disk.path}/data`);
    using emitters = steadyEmitters(server.url);
    await goingOn(emitters);

    emitters.spoil();
    disk.fill(20);
    const full = { live: 200, ready: 503, reasons: ["the database's disk is full"] };
    await reports(server, full);
    await expect.poll(() => emitters.refusals.length).toBeGreaterThan(4);
    const input = encodeURIComponent(JSON.stringify({ json: { limit: 10 } }));
    expect((await fetch(`${server.url}/api/trpc/run.list?input=${input}`)).status).toBe(200);

    disk.free();
    await reports(server, HEALTHY);
    await goingOn(emitters);
    const sent = await emitters.finish();
    await stop(server);
    await expectStored({ dataDir: `${disk.path}/data` }, sent);
    expect(emitters.refusals).toEqual(
      emitters.refusals.map(() => ({ error: expect.stringMatching(/try again$/), field: '', retry: true })),
    );
    expectShortLog(server.output());
    expect(server.output()).toMatch(/the disk of the data directory has \d+ MB left/);
  });

  test('is what a server that starts on it says as it ends', async () => {
    using disk = smallDisk(80); // which PGlite would fill as it makes a new database
    await using server = evenkeel(['serve', '--port', '0', '--data-dir', `${disk.path}/data`]);
    expect(await server.ended).toBe(1);
    expect(server.output()).toMatch(/^evenkeel: the disk of the data directory has \d+ MB left, .*\n$/);
  });
});

describe.skipIf(!prlimit)('an embedded database that hangs, since its log cannot grow', () => {
  /** The disk has space, as with a quota: what PGlite meets then is seen by nobody before. */
  const breakDisk = ({ child }: EvenkeelProcess) =>
    execFileSync(prlimit ?? '', ['--pid', String(child.pid), '--fsize=1000000']);

  test('ends the process with a sentence and exit code 1, and the next one has every step', async () => {
    using folder = temporaryFolder();
    const port = String(await freePort());
    const server = await serve(folder.path, port);
    using emitters = steadyEmitters(server.url);
    await goingOn(emitters);
    emitters.spoil();
    breakDisk(server);
    await reports(server, expect.objectContaining({ ready: 503 }));
    expect(await server.ended).toBe(1);
    expect(server.output()).toMatch(
      /^evenkeel: the embedded database has not answered for \d+ seconds: restart the server$/m,
    );
    expectShortLog(server.output());

    await using second = await serve(folder.path, port);
    await goingOn(emitters);
    expect(await healthOf(second)).toEqual(HEALTHY);
    const sent = await emitters.finish();
    await stop(second);
    await expectStored({ dataDir: folder.path }, sent);
  });

  test('does not keep the server from ending at one Ctrl-C', async () => {
    using folder = temporaryFolder();
    const server = await serve(folder.path);
    using emitters = steadyEmitters(server.url);
    await goingOn(emitters);
    breakDisk(server);
    await reports(server, expect.objectContaining({ reasons: ['the database does not answer'] }));
    server.child.kill('SIGINT');
    expect(await server.ended).not.toBeNull();
  });
});

interface Fault {
  name: string;
  begin(cluster: Cluster): Promise<void> | void;
  end(cluster: Cluster): Promise<void> | void;
  /** What is said of it. */
  reason: RegExp;
}

const AWAY =
  /^the (connection to the database broke|database cannot be reached|database is (starting or )?shutting down)$/;

const FAULTS: Fault[] = [
  {
    name: 'killed -9',
    begin: (cluster) => cluster.kill(),
    end: (cluster) => cluster.start(),
    reason: AWAY,
  },
  {
    name: 'paused',
    begin: (cluster) => cluster.pause(),
    end: (cluster) => cluster.resume(),
    reason: /^the database does not answer$/,
  },
  {
    name: 'read-only',
    begin: (cluster) => cluster.setReadOnly('on'),
    end: (cluster) => cluster.setReadOnly('off'),
    reason: /^the database is read-only$/,
  },
];

describe.skipIf(!postgres)('PostgreSQL under load', () => {
  test.for(FAULTS)(
    '$name is reported, loses no step and no alert, and ingest goes on by itself',
    async ({ begin, end, reason }) => {
      using folder = temporaryFolder();
      await using cluster = await startCluster();
      await using server = await serve(folder.path, '0', { DATABASE_URL: cluster.url });
      using emitters = steadyEmitters(server.url);
      await goingOn(emitters);
      emitters.spoil();
      await begin(cluster);
      const failing = { live: 200, ready: 503, reasons: [expect.stringMatching(reason)] };
      await reports(server, failing);
      await end(cluster);
      await goingOn(emitters);
      await reports(server, HEALTHY);
      const sent = await emitters.finish();
      await stop(server);
      await expectStored({ url: cluster.url }, sent);
      expect(emitters.refusals.filter(({ retry }) => retry !== true)).toEqual([]);
      if (emitters.refusals.length > 0) expectShortLog(server.output());
    },
  );

  test('restarted loses no step and no alert, and ingest goes on by itself', async () => {
    using folder = temporaryFolder();
    await using cluster = await startCluster();
    await using server = await serve(folder.path, '0', { DATABASE_URL: cluster.url });
    using emitters = steadyEmitters(server.url);
    for (let times = 0; times < 3; times++) {
      await goingOn(emitters);
      if (times === 1) emitters.spoil();
      await cluster.restart();
    }
    await goingOn(emitters);
    await reports(server, HEALTHY);
    const sent = await emitters.finish();
    await stop(server);
    await expectStored({ url: cluster.url }, sent);
    expect(emitters.refusals.filter(({ retry }) => retry !== true)).toEqual([]);
    expectShortLog(server.output());
  });

  test('paused does not keep the server from ending at one Ctrl-C', async () => {
    using folder = temporaryFolder();
    await using cluster = await startCluster();
    await using server = await serve(folder.path, '0', { DATABASE_URL: cluster.url });
    using emitters = steadyEmitters(server.url);
    await goingOn(emitters);
    cluster.pause();
    await reports(server, expect.objectContaining({ reasons: ['the database does not answer'] }));
    server.child.kill('SIGINT');
    expect(await server.ended).not.toBeNull();
  });
});

test('a server that is still making its database ends at one Ctrl-C', async () => {
  using folder = temporaryFolder();
  await using server = evenkeel(['serve', '--port', '0', '--data-dir', folder.path]);
  await expect.poll(() => existsSync(join(folder.path, 'postgres.new')), { interval: 5 }).toBe(true);
  server.child.kill('SIGINT');
  expect(await server.ended).toBe(1);
  expect(server.output()).toBe('');
});
