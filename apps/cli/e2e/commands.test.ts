import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { openDatabase, startRun as storeRun } from '@evenkeel/db';
import { storeRuns } from '@evenkeel/db/sample/many-runs';
import { type Command, startRun } from '@evenkeel/emit';
import { parse, runStart } from '@evenkeel/protocol';
import { temporaryFolder } from '@evenkeel/testing';
import { expect, test } from 'vitest';
import { evenkeel, serve } from './evenkeel.ts';

test('serve --json prints where it listens and nothing else; healthz and readyz name the version and the database', async () => {
  using folder = temporaryFolder();
  await using server = await serve(folder.path);
  expect(JSON.parse(server.facts())).toEqual({ url: server.url, database: 'pglite' });
  for (const path of ['/healthz', '/readyz']) {
    const read = async () => {
      const response = await fetch(server.url + path);
      return { code: response.status, ...(await response.json()) };
    };
    // soon: a server that has just started may be too busy to answer its own probe in time
    await expect.poll(read).toEqual({
      code: 200,
      status: 'ok',
      reasons: [],
      ...(path === '/healthz' && { ready: { status: 'ok', reasons: [] } }),
      version: '0.1.0',
      database: 'pglite',
      ingest: {
        unacknowledgedBatches: 0,
        unacknowledgedBytes: 0,
        oldestUnacknowledgedMs: null,
        commitInFlightMs: null,
        lastCommit: null,
      },
    });
  }
});

test('scripts are compressed and cached forever, and no file outside their folder is served', async () => {
  using folder = temporaryFolder();
  await using server = await serve(folder.path);
  const page = await (await fetch(server.url)).text();
  const [script = ''] = /\/_next\/static\/[^"]+\.js/.exec(page) ?? [];
  const { status, headers } = await fetch(server.url + script, { headers: { 'accept-encoding': 'gzip' } });
  expect([status, headers.get('content-encoding')]).toEqual([200, 'gzip']);
  expect(headers.get('cache-control')).toContain('immutable');
  const plain = await fetch(server.url + script, { headers: { 'accept-encoding': 'identity' } });
  expect([plain.status, plain.headers.get('content-encoding')]).toEqual([200, null]);
  for (const path of ['none.js', '../BUILD_ID', '..%2fBUILD_ID', '%2e%2e/BUILD_ID', '..%5cBUILD_ID'])
    expect([path, await statusOf(`${server.url}/_next/static/`, path)]).not.toEqual([path, 200]);
});

test('runs --json prints one line per run', async () => {
  using folder = temporaryFolder();
  await using server = await serve(folder.path);
  const config = { lr: 3e-4, model: { layers: 12 } };
  const run = await startRun({ server: server.url, project: 'p', name: 'n', config });
  for (let step = 0; step < 5; step++) run.log({ step, loss: step === 4 ? Number.NaN : 2, tevMean: 0.5 });
  await run.finish('failed', 'loss is not finite');
  await using list = evenkeel(['runs', '--server', server.url, '--json']);
  expect(await list.ended).toBe(0);
  expect(JSON.parse(list.output())).toEqual({
    id: run.id,
    project: 'p',
    name: 'n',
    status: 'failed',
    config,
    lastStep: 4,
    loss: 'NaN',
    tevMean: 0.5,
    droppedValues: 0,
    openAlerts: [{ rule: 'non-finite', severity: 'critical', step: 4 }],
  });
});

test('alerts are printed as JSON lines, with feedback and what became of the run', async () => {
  using folder = temporaryFolder();
  await using server = await serve(folder.path);
  for (const project of ['p', 'other']) {
    const run = await startRun({ server: server.url, project, name: 'n' });
    for (let step = 0; step < 5; step++) run.log({ step, loss: step === 4 ? Number.NaN : 2 });
    await run.finish('failed', 'loss is not finite');
  }
  const read = async () => {
    await using listed = evenkeel(['alerts', '--project', 'p', '--server', server.url]);
    expect(await listed.ended).toBe(0);
    const lines = listed.facts().split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  };
  await expect.poll(read).toMatchObject([
    {
      ...{ project: 'p', rule: 'non-finite', severity: 'critical', attempt: 1, step: 4 },
      ...{ feedback: null, outcome: 'diverged', onset: 4, late: true },
    },
  ]);
});

test('stop reaches the trainer of a run, and says so where it cannot', async () => {
  using folder = temporaryFolder();
  await using server = await serve(folder.path);
  const run = await startRun({ server: server.url, project: 'p', name: 'n' });
  run.log({ step: 0, loss: 2 });
  await run.drained();
  await using stop = evenkeel(['stop', run.id, '--server', server.url, '--reason', 'too expensive']);
  expect([await stop.ended, stop.output()]).toEqual([0, `${run.id} has been asked to stop.\n`]);
  expect(run.signal.reason).toEqual(new Error('too expensive'));
  await run.finish('stopped', 'too expensive');
  await using again = evenkeel(['stop', run.id, '--server', server.url]);
  expect([await again.ended, again.output()]).toEqual([1, 'evenkeel: the run has ended: it is stopped\n']);
  await using wrong = evenkeel(['stop', 'abc', '--server', server.url]);
  expect([await wrong.ended, wrong.output()]).toEqual([1, 'evenkeel: run: Invalid UUID\n']);
});

test('stop can ask for a checkpoint or a lower learning rate, and reports what the trainer answers', async () => {
  using folder = temporaryFolder();
  await using server = await serve(folder.path);
  const received: Command[] = [];
  const about = { server: server.url, project: 'p', onWarning: () => {} };
  const able = await startRun({ ...about, name: 'able', onCommand: (command) => void received.push(command) });
  const unable = await startRun({ ...about, name: 'unable' });
  for (const run of [able, unable]) run.log({ step: 0, loss: 2 });
  await Promise.all([able.drained(), unable.drained()]);
  const stop = async (...args: string[]) => {
    await using asked = evenkeel(['stop', ...args, '--server', server.url, '--by', 'ada', '--reason', 'it rises']);
    return [await asked.ended, asked.output()];
  };
  const lower = ['--reduce-lr', '0.5'];
  expect(await stop(able.id, ...lower)).toEqual([
    0,
    `${able.id} has been asked to multiply its learning rate by 0.5.\n`,
  ]);
  expect(received).toMatchObject([{ kind: 'reduce-lr', factor: 0.5, by: 'ada', reason: 'it rises' }]);
  expect(await stop(unable.id, '--checkpoint')).toEqual([
    1,
    expect.stringMatching(/^evenkeel: \S+ refuses to save a checkpoint: .*onCommand/),
  ]);
  expect(await stop(able.id, '--reduce-lr', '2')).toEqual([1, expect.stringContaining('action.factor: ')]);
  expect(await stop(able.id, '--checkpoint', ...lower)).toEqual([1, expect.stringContaining('cannot be used with')]);
  await Promise.all([able.finish('stopped'), unable.finish('stopped')]);
});

test('rebuild builds the rollups of a database again, but not while a server holds it', async () => {
  using folder = temporaryFolder();
  {
    await using server = await serve(folder.path);
    const run = await startRun({ server: server.url, project: 'p', name: 'n' });
    for (let step = 0; step < 200; step++) run.log({ step, loss: 2 });
    expect(await run.finish('finished', undefined, { timeoutMs: 120_000 })).toMatchObject({ delivered: true });
    await using held = evenkeel(['rebuild', '--data-dir', folder.path]);
    expect([await held.ended, held.output()]).toEqual([1, expect.stringContaining(server.url)]);
  }
  await using rebuild = evenkeel(['rebuild', '--data-dir', folder.path]);
  expect([await rebuild.ended, rebuild.output()]).toEqual([0, 'The rollups of 1 runs were rebuilt.\n']);
  await using nowhere = evenkeel(['rebuild', '--data-dir', `${folder.path}/no`]);
  expect([await nowhere.ended, nowhere.output()]).toEqual([1, expect.stringContaining('there is no database')]);
});

test('a port in use is reported before a database is created', async () => {
  using folder = temporaryFolder();
  await using server = await serve(join(folder.path, 'first'));
  const { port } = new URL(server.url);
  await using second = evenkeel(['serve', '--port', port, '--data-dir', join(folder.path, 'second')]);
  expect(await second.ended).toBe(1);
  expect(second.output()).toMatch(/EADDRINUSE.*--port\n$/);
  expect(existsSync(join(folder.path, 'second'))).toBe(false);
});

test('a second server on the same data directory says who holds it', async () => {
  using folder = temporaryFolder();
  await using server = await serve(folder.path);
  await using second = evenkeel(['serve', '--port', '0', '--data-dir', folder.path]);
  expect(await second.ended).toBe(1);
  expect(second.output()).toContain(String(server.child.pid));
  expect(second.output()).not.toContain('    at ');
  expect(second.output()).toContain(server.url);
});

test('keys are made on the data directory, and through the server that holds it', async () => {
  using folder = temporaryFolder();
  const made = await finished(evenkeel(['key', 'create', 'first', '--data-dir', folder.path, '--json']));
  await using server = await serve(folder.path);
  const start = { server: server.url, project: 'p', spool: false, onWarning: () => {} } as const;
  const refused = await startRun({ ...start, name: 'no key' });
  refused.log({ step: 0 });
  expect(await refused.finish('finished', undefined, { timeoutMs: 1_000 })).toEqual({
    delivered: false,
    pending: 1,
    spool: null,
    dropped: [],
  });

  const { key, id } = { key: made.secret, id: made.id };
  const run = await startRun({ ...start, name: 'with key', key });
  run.log({ step: 0 });
  expect(await run.finish('finished', undefined, { timeoutMs: 120_000 })).toEqual({
    delivered: true,
    pending: 0,
    spool: null,
    dropped: [],
  });

  await finished(evenkeel(['key', 'revoke', id, '--data-dir', folder.path, '--json']));
  const list = await finished(evenkeel(['key', 'list', '--data-dir', folder.path, '--json']));
  expect(list).toMatchObject({ id, name: 'first', revokedAt: expect.any(String) });
  expect(JSON.stringify(list)).not.toContain(key);
});

async function finished(command: ReturnType<typeof evenkeel>) {
  expect([await command.ended, command.output()]).toEqual([0, expect.any(String)]);
  return JSON.parse(command.output());
}

test('all runs are listed, however many the server answers at once', async () => {
  using folder = temporaryFolder();
  await storeRuns(folder.path, 450);
  await using server = await serve(folder.path);
  await using listed = evenkeel(['runs', '--json', '--server', server.url]);
  expect(await listed.ended).toBe(0);
  const names = listed
    .facts()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).name);
  expect(names).toEqual(Array.from({ length: 450 }, (_, at) => `run ${at}`));
});

test('runs whose configurations are large are listed with them', async () => {
  using folder = temporaryFolder();
  await storeLargeRuns(folder.path, 100);
  await using server = await serve(folder.path);
  await using listed = evenkeel(['runs', '--json', '--server', server.url]);
  expect(await listed.ended).toBe(0);
  expect(listed.facts().trim().split('\n')).toHaveLength(100);
});

async function storeLargeRuns(dataDir: string, count: number): Promise<void> {
  await using db = await openDatabase({ dataDir });
  const described = { attempt: 1, project: 'p', startedAt: 0, config: { prompt: 'x'.repeat(60_000) } };
  for (let at = 0; at < count; at++)
    await storeRun(db, parse(runStart, { ...described, run: randomUUID(), name: `run ${at}` }), new Date());
}

test('beyond loopback the server starts only with an access token and an ingest key, and asks viewers for the token', async () => {
  using folder = temporaryFolder();
  const flags = ['serve', '--json', '--port', '0', '--host', '0.0.0.0', '--data-dir', folder.path];
  const token = 'correct-horse-battery';
  await using bare = evenkeel(flags);
  expect(await bare.ended).toBe(1);
  expect(bare.output()).toMatch(/^evenkeel: accessToken: is needed .*EVENKEEL_ACCESS_TOKEN.*\n$/);
  await using keyless = evenkeel(flags, { EVENKEEL_ACCESS_TOKEN: token });
  expect(await keyless.ended).toBe(1);
  expect(keyless.output()).toContain('evenkeel key create');
  await finished(evenkeel(['key', 'create', 'lab', '--data-dir', folder.path, '--json']));

  await using server = evenkeel(flags, { EVENKEEL_ACCESS_TOKEN: token });
  const [, port] = await server.printed(/"url":"http:\/\/0\.0\.0\.0:(\d+)"/);
  const url = `http://127.0.0.1:${port}`;
  const page = await fetch(url, { redirect: 'manual' });
  expect([page.status, page.headers.get('location')]).toEqual([303, '/signin']);
  expect((await fetch(`${url}/api/trpc/run.list`)).status).toBe(401);
  const post = (body: string, headers = {}) => fetch(`${url}/api/session`, { method: 'POST', body, headers });
  expect((await post('{"token":"wrong"}')).status).toBe(401);
  expect((await post('{')).status).toBe(400);
  expect((await post(JSON.stringify({ token }), { origin: 'http://elsewhere.example' })).status).toBe(403);
  const signedIn = await post(JSON.stringify({ token }));
  expect(signedIn.status).toBe(204);
  const cookie = signedIn.headers.get('set-cookie') ?? '';
  expect(cookie).toContain('HttpOnly');
  expect(cookie).not.toContain(token);
  const [session = ''] = cookie.split(';');
  expect((await fetch(url, { headers: { cookie: session } })).status).toBe(200);
  expect((await fetch(url, { headers: { cookie: session.replace(/=\d/, '=9') }, redirect: 'manual' })).status).toBe(
    303,
  );
  await using list = evenkeel(['runs', '--server', url, '--json'], { EVENKEEL_ACCESS_TOKEN: token });
  expect(await list.ended).toBe(0);
});

test('a request that names another host, or comes from another site, is refused', async () => {
  using folder = temporaryFolder();
  await using server = await serve(folder.path);
  const { port } = new URL(server.url);
  expect(await statusWith(port, { host: 'rebound.example' })).toBe(403);
  expect(await statusWith(port, { host: `localhost:${port}`, origin: 'http://elsewhere.example' })).toBe(403);
  expect(await statusWith(port, { host: `localhost:${port}`, origin: `http://localhost:${port}` })).toBe(200);
});

/** fetch() sets the Host header itself, so this asks with Node's own client. */
async function statusWith(port: string, headers: Record<string, string>): Promise<number | undefined> {
  const { get } = await import('node:http');
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/healthz', headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).once('error', reject);
  });
}

test('an unreachable server, a bad port and an unknown flag are said in one line', async () => {
  await using nobody = evenkeel(['runs', '--server', 'http://127.0.0.1:9']);
  expect(await nobody.ended).toBe(1);
  expect(nobody.output()).toMatch(/no answer from http:\/\/127\.0\.0\.1:9 .*evenkeel serve/);
  await using badPort = evenkeel(['serve', '--port', '99999']);
  expect(await badPort.ended).toBe(1);
  expect(badPort.output()).toContain('whole number from 0 to 65535');
});

/** Of a path as it is written, which `fetch` would tidy. */
function statusOf(folder: string, path: string): Promise<number | undefined> {
  const { hostname, port, pathname } = new URL(folder);
  return new Promise((resolve, reject) => {
    get({ hostname, port, path: pathname + path }, (response) => resolve(response.resume().statusCode)).once(
      'error',
      reject,
    );
  });
}
