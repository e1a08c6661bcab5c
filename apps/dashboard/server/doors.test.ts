import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApiKey, type Database, getRun, readFamily } from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import { MLFLOW_FOLDERS, MlflowDoor } from '@evenkeel/door-mlflow';
import { type HealthReport, Ingest, LocalEventPort } from '@evenkeel/ingest';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { Assets } from './assets.ts';
import { ClientAddresses } from './client-address.ts';
import { httpListener } from './http.ts';
import { OriginGuard } from './origin-guard.ts';
import { Sessions } from './session.ts';

const TOKEN = 'correct-horse-battery';
const HEALTH: HealthReport = { status: 'ok', reasons: [], ingest: {} as never };
const API = '/api/2.0/mlflow';

let db: Database;
beforeAll(async () => {
  db = await openTestDatabase();
});
afterAll(() => db.close());

/** A server with the door of MLflow. */
async function serve({ atRoot = [] as readonly string[], token = null as string | null } = {}) {
  const now = () => new Date();
  const errors: unknown[] = [];
  const log = (level: string, ...rest: unknown[]) => void (level === 'error' && errors.push(rest));
  const events = new LocalEventPort(log);
  const ingest = new Ingest({ db, now, log, events });
  const sessions = new Sessions(token, now, new ClientAddresses([]));
  const door = new MlflowDoor({ ingest, db, now, log, readers: sessions });
  const http = createServer(
    httpListener({
      originGuard: new OriginGuard([]),
      sessions,
      api: (principal) => ({ db, now, principal, events, command: (given) => ingest.command(principal, given) }),
      log,
      health: { version: '0', database: db.kind, live: () => HEALTH, ready: async () => HEALTH },
      pages: async (_, response) => void response.end('a page'),
      assets: new Assets(new Map()),
      doors: [{ app: door.app, prefix: '/mlflow', atRoot }],
    }),
  );
  await once(http.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(async () => {
    http.closeAllConnections();
    await once(http.close(), 'close');
    door.close();
    await ingest.close();
    expect(errors).toEqual([]);
  });
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const ask = async (path: string, body?: unknown, init: RequestInit = {}) => {
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(url + path, { ...sent, redirect: 'manual', ...init });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    return { status: response.status, body: isJson ? JSON.parse(text) : text };
  };
  const create = async (base: string) => (await ask(`${base}${API}/runs/create`, {})).body.run.info.run_id as string;
  const post = (operation: string, body: unknown) => ask(`/mlflow${API}/${operation}`, body);
  return { url, ask, create, post };
}

const idOf = (hex: string) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

test('the door of MLflow stands below its prefix, at the root where that is asked for, and behind the origin guard', async () => {
  const plain = await serve();
  expect((await plain.ask(`/mlflow${API}/experiments/get?experiment_id=0`)).body).toMatchObject({
    experiment: { experiment_id: '0', name: 'Default', lifecycle_stage: 'active' },
  });
  expect(await plain.ask(`${API}/experiments/get?experiment_id=0`)).toMatchObject({ status: 200, body: 'a page' });
  expect(await plain.ask(`/mlflow${API}/no/such`)).toMatchObject({
    status: 404,
    body: { error_code: 'ENDPOINT_NOT_FOUND', message: expect.stringContaining('no/such') },
  });
  const elsewhere = { headers: { origin: 'http://elsewhere.test' } };
  expect(await plain.ask(`/mlflow${API}/runs/create`, {}, elsewhere)).toMatchObject({ status: 403 });
  const root = await serve({ atRoot: MLFLOW_FOLDERS });
  const run = await root.create('');
  expect((await root.ask(`${API}/runs/get?run_id=${run}`)).body.run.info).toMatchObject({ run_id: run });
  expect((await root.ask('/elsewhere')).body).toBe('a page');
});

test('the address of a run that a client of MLflow prints leads to the pages', async () => {
  const { url } = await serve();
  for (const path of ['/mlflow', '/mlflow/']) {
    const response = await fetch(url + path, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([302, '/']);
  }
});

test('what is wrong with a value costs it alone, and a request is never refused for it', async () => {
  const { post, create } = await serve();
  const run = await create('/mlflow');
  const metrics = [
    { key: 'loss', value: 2, timestamp: Date.now(), step: 1 },
    { key: 'loss', value: 'high', timestamp: Date.now(), step: 2 },
    { key: 'loss', value: 1, timestamp: Date.now(), step: 1.5 },
    { key: 'x'.repeat(600), value: 1, timestamp: 0, step: 3 },
    { key: 'loss', value: 'Infinity', timestamp: 1_700_000_000, step: '4' },
  ];
  const tags = Array.from({ length: 100 }, (_, at) => ({ key: `tag ${at}`, value: '\0'.repeat(200) }));
  expect(await post('runs/log-batch', { run_id: run, metrics, tags })).toEqual({ status: 200, body: {} });
  expect(await post('runs/log-metric', { run_id: run, key: 'lr', value: 0.1 })).toMatchObject({ status: 200 });
  for (const value of ['a', 'b']) {
    const param = { run_id: run, key: 'same', value: value.repeat(7_000) };
    expect(await post('runs/log-parameter', param)).toMatchObject({ status: 200 });
  }
  const stored = await getRun(db, idOf(run));
  expect(stored).toMatchObject({ loss: Number.POSITIVE_INFINITY, attempts: [{ lastStep: 4 }] });
  expect(stored?.config.same === 'b'.repeat(7_000)).toBe(true);
  expect(stored?.dropped.map(({ field, reason }) => [field.slice(0, 12), reason]).toSorted()).toEqual([
    ['custom.loss', 'not a number'],
    ['custom.xxxxx', 'bad name'],
    ['step', 'not a whole number'],
  ]);
  expect(stored?.tags).toHaveLength(64);
});

test('text that no database stores is replaced, and a request is never refused for it', async () => {
  const { post } = await serve();
  const created = await post('runs/create', {
    user_id: 'a\0',
    run_name: 'b\ud800',
    tags: [{ key: 'c\0', value: '\ud800' }],
  });
  expect(created).toMatchObject({ status: 200, body: { run: { info: { user_id: 'a\ufffd', run_name: 'b\ufffd' } } } });
  const run = created.body.run.info.run_id;
  expect(await post('runs/log-metric', { run_id: run, key: 'd\0', value: 'high' })).toMatchObject({ status: 200 });
  expect(await post('runs/log-parameter', { run_id: run, key: 'e\0', value: '\ud800' })).toMatchObject({ status: 200 });
  expect(await post('runs/log-metric', { run_id: run, key: 'f\0', value: 1 })).toMatchObject({ status: 200 });
});

test('a mistake is answered in the form of MLflow, naming what is wrong', async () => {
  const { ask, post } = await serve();
  const nobody = '0'.repeat(32);
  expect(await post('runs/log-metric', { run_id: nobody, key: 'a', value: 1 })).toMatchObject({
    status: 404,
    body: { error_code: 'RESOURCE_DOES_NOT_EXIST' },
  });
  expect(await post('runs/log-metric', { run_id: nobody })).toMatchObject({
    status: 400,
    body: { error_code: 'INVALID_PARAMETER_VALUE', message: expect.stringContaining('key') },
  });
  const missing = '/experiments/get-by-name?experiment_name=nothing';
  expect(await ask(`/mlflow${API}${missing}`)).toMatchObject({ body: { error_code: 'RESOURCE_DOES_NOT_EXIST' } });
  expect((await post('experiments/create', { name: 'once' })).body.experiment_id).toMatch(/^\d+$/);
  expect(await post('experiments/create', { name: 'once' })).toMatchObject({
    body: { error_code: 'RESOURCE_ALREADY_EXISTS' },
  });
  expect(await post('runs/search', { experiment_ids: ['0'], filter: 'loss ~ 1' })).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('"~" is no operator') },
  });
});

test('the history of a metric comes in pages where that is asked for', async () => {
  const { ask, post, create } = await serve();
  const run = await create('/mlflow');
  const metrics = [0, 1, 2].map((step) => ({ key: 'acc', value: step, timestamp: Date.now(), step }));
  await post('runs/log-batch', { run_id: run, metrics });
  const read = async (more: string) =>
    (await ask(`/mlflow${API}/metrics/get-history?run_id=${run}&metric_key=acc${more}`)).body;
  const stepsOf = (answer: { metrics: { step: number }[] }) => answer.metrics.map(({ step }) => step);
  expect(stepsOf(await read(''))).toEqual([0, 1, 2]);
  const first = await read('&max_results=2');
  expect(stepsOf(first)).toEqual([0, 1]);
  const second = await read(`&max_results=2&page_token=${first.next_page_token}`);
  expect([stepsOf(second), second.next_page_token]).toEqual([[2], undefined]);
  expect(await read('&page_token=3')).toEqual({ metrics: [] });
});

test('a metric without steps is counted on after a restart, however far behind the run its field is', async () => {
  const [before, after] = [await serve(), await serve()];
  const run = await before.create('/mlflow');
  const log = (server: typeof before, metrics: object[]) => server.post('runs/log-batch', { run_id: run, metrics });
  for (const value of [3, 2]) await log(before, [{ key: 'loss', value, timestamp: Date.now() + value }]);
  const others = Array.from({ length: 300 }, (_, at) => ({
    key: 'gpu',
    value: 1,
    timestamp: Date.now(),
    step: at + 10,
  }));
  await log(before, others);
  await log(after, [{ key: 'loss', value: 1, timestamp: Date.now() }]);
  const { body } = await after.ask(`/mlflow${API}/metrics/get-history?run_id=${run}&metric_key=loss`);
  expect(body.metrics.map(({ step, value }: { step: number; value: number }) => [step, value])).toEqual([
    [0, 3],
    [1, 2],
    [2, 1],
  ]);
});

test('values without steps that are sent again after the server was killed are stored once', async () => {
  const [before, after] = [await serve(), await serve()];
  const run = await before.create('/mlflow');
  const at = Date.now();
  const batch = (from: number) => ({
    run_id: run,
    metrics: [0, 1, 2].map((more) => ({ key: 'loss', value: 9 - from - more, timestamp: at + from + more, step: 0 })),
  });
  for (const from of [0, 3]) expect((await before.post('runs/log-batch', batch(from))).status).toBe(200);
  for (const from of [3, 6]) expect((await after.post('runs/log-batch', batch(from))).status).toBe(200);
  const { body } = await after.ask(`/mlflow${API}/metrics/get-history?run_id=${run}&metric_key=loss`);
  expect(body.metrics.map(({ step, value }: { step: number; value: number }) => [step, value])).toEqual(
    Array.from({ length: 9 }, (_, step) => [step, 9 - step]),
  );
});

test('requests for histories of metrics wait in a limited number', async () => {
  const { ask, post, create } = await serve();
  const run = await create('/mlflow');
  await post('runs/log-metric', { run_id: run, key: 'a', value: 1 });
  const read = () => ask(`/mlflow${API}/metrics/get-history?run_id=${run}&metric_key=a`);
  const statuses: number[] = [];
  const refused = new EventEmitter();
  const held = db.sql.transaction(() => once(refused, 'all')); // nothing is read until then
  const reads = Array.from({ length: 100 }, async () => {
    const { status } = await read();
    statuses.push(status);
    if (statuses.length === 32) refused.emit('all');
  });
  await Promise.all([held, ...reads]);
  expect(statuses).toEqual([...Array(32).fill(429), ...Array(68).fill(200)]);
});

test('a search names no more than a thousand experiments', async () => {
  const { post } = await serve();
  const search = (count: number) =>
    post('runs/search', { experiment_ids: Array.from({ length: count }, (_, at) => String(at)) });
  expect([(await search(1_000)).status, (await search(1_001)).status]).toEqual([200, 400]);
});

test('without keys a client that has no access token does not see which runs there are', async () => {
  const { ask, post, create } = await serve({ token: TOKEN });
  const run = await create('/mlflow');
  expect(await ask(`/mlflow${API}/runs/get?run_id=${run}`)).toMatchObject({ status: 200 });
  expect(await post('runs/search', { experiment_ids: ['0'] })).toMatchObject({ status: 403 });
  expect(await post('experiments/search', {})).toMatchObject({ status: 403 });
  const asViewer = { headers: { authorization: `Bearer ${TOKEN}` } };
  const found = await ask(`/mlflow${API}/runs/search`, { experiment_ids: ['0'] }, asViewer);
  expect(found.body.runs.map(({ info }: { info: { run_id: string } }) => info.run_id)).toContain(run);
});

test('who guesses the access token at the door of MLflow waits after ten wrong ones, and training goes on', async () => {
  const { ask, create } = await serve({ token: TOKEN });
  const run = await create('/mlflow');
  const as = (secret: string) => ({ headers: { authorization: `Bearer ${secret}` } });
  const search = async (secret: string) =>
    (await ask(`/mlflow${API}/runs/search`, { experiment_ids: ['0'] }, as(secret))).status;
  for (let guess = 0; guess < 10; guess++) expect(await search(`guess ${guess}`)).toBe(403);
  for (const path of ['runs/search', 'runs/get', 'metrics/get-history'])
    expect(
      await ask(
        `/mlflow${API}/${path}?run_id=${run}&metric_key=a`,
        path === 'runs/search' ? {} : undefined,
        as('guess'),
      ),
    ).toMatchObject({ status: 429, body: { error_code: 'REQUEST_LIMIT_EXCEEDED' } });
  expect(await search(TOKEN)).toBe(200);
  const metric = { run_id: run, key: 'a', value: 1 };
  expect(await ask(`/mlflow${API}/runs/log-metric`, metric, as('guess'))).toMatchObject({ status: 200 });
});

// The last two, since from then on a key is needed.
test('a key writes and reads its own runs alone', async () => {
  const { secret } = await createApiKey(db, 'own', new Date());
  const { secret: other } = await createApiKey(db, 'other', new Date());
  const { ask } = await serve({ token: TOKEN });
  const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
  expect(await ask(`/mlflow${API}/runs/create`, {})).toMatchObject({
    status: 401,
    body: { error_code: 'UNAUTHENTICATED' },
  });
  const run = (await ask(`/mlflow${API}/runs/create`, {}, as(secret))).body.run.info.run_id;
  const get = (key: string) => ask(`/mlflow${API}/runs/get?run_id=${run}`, undefined, as(key));
  expect([(await get(secret)).status, (await get(other)).status, (await get(TOKEN)).status]).toEqual([200, 404, 200]);
  const metric = { run_id: run, key: 'a', value: 1 };
  expect(await ask(`/mlflow${API}/runs/log-metric`, metric, as(other))).toMatchObject({ status: 403 });
  expect(await ask(`/mlflow${API}/runs/log-metric`, metric, as(TOKEN))).toMatchObject({ status: 403 });
  expect(await ask(`/mlflow${API}/runs/log-metric`, metric, as(secret))).toMatchObject({ status: 200 });
});

test('a run of another key is no parent, also where viewers need no access token', async () => {
  const keys = await Promise.all(['ada', 'bob'].map(async (name) => (await createApiKey(db, name, new Date())).secret));
  const { ask } = await serve();
  const create = async (key: string | undefined, tags: object[] = []): Promise<string> => {
    const as = { headers: { authorization: `Bearer ${key}` } };
    return (await ask(`/mlflow${API}/runs/create`, { tags }, as)).body.run.info.run_id;
  };
  const parent = await create(keys[0]);
  const within = [{ key: 'mlflow.parentRunId', value: parent }];
  const own = await create(keys[0], within);
  const foreign = await create(keys[1], within);
  expect((await readFamily(db, idOf(parent))).parts).toMatchObject([{ id: idOf(own) }]);
  expect((await readFamily(db, idOf(foreign))).parent).toBeNull();
});
