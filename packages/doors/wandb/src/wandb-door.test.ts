import {
  createApiKey,
  type Database,
  deleteRun,
  getRun,
  giveCommand,
  listCommands,
  readConsole,
  readHistory,
  recentSteps,
  revokeApiKey,
} from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { runIdOf } from './run-key.ts';
import { MAX_WRONG, serveDoor } from './testing.ts';

const T0 = 1_700_000_000;
let db: Database;
beforeAll(async () => {
  db = await openTestDatabase();
});
afterAll(() => db.close());

let names = 0;
interface Asked {
  config?: object;
  tags?: string[];
  displayName?: string;
}

/** A client of one run, as the requests of W&B's are. */
async function serve({
  served = db,
  key,
  token = null,
  stopWaitMs,
  name = `run${++names}`,
}: {
  served?: Database;
  key?: string;
  token?: string | null;
  stopWaitMs?: number;
  name?: string;
} = {}) {
  const door = await serveDoor(served, { token, stopWaitMs });
  let isOpen = true;
  const stop = async () => {
    if (isOpen) await door[Symbol.asyncDispose]();
    isOpen = false;
  };
  onTestFinished(stop);
  const authorization = `Basic ${Buffer.from(`api:${key ?? 'none'}`).toString('base64')}`;
  const send = async (path: string, body: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(door.url + path, {
      method: 'POST',
      body,
      headers: { authorization, ...headers },
      redirect: 'manual',
    });
    return { status: answer.status, body: JSON.parse(await answer.text()) };
  };
  const ask = (operation: string, variables: object = {}) =>
    send('/graphql', JSON.stringify({ query: `query ${operation} { x }`, variables }));
  const path = `/files/evenkeel/proj/${name}/file_stream`;
  const key_ = { name, project: 'proj', entity: null };
  return {
    ...{ door, name, send, ask, stop, path },
    run: runIdOf({ name, project: 'proj', entity: 'evenkeel' }),
    upsert: ({ config = {}, ...rest }: Asked = {}) =>
      ask('UpsertBucket', { ...key_, config: JSON.stringify(config), ...rest }),
    resume: () => ask('RunResumeStatus', key_),
    post: (body: object) => send(path, JSON.stringify(body)),
  };
}

const row = (step: number, values: object = { loss: step }, from = T0) =>
  JSON.stringify({ _step: step, _timestamp: from + step, _runtime: step, ...values });
const history = (offset: number, ...content: string[]) => ({ files: { 'wandb-history.jsonl': { offset, content } } });
const lossesOf = async (run: string) =>
  (await recentSteps(db, { run, limit: 50 })).map(({ step, loss }) => [step, loss]).sort();

test('a run is what its client says of it', async () => {
  const { upsert, post, run, name } = await serve();
  const { body } = await upsert({
    displayName: 'a name',
    tags: ['t'],
    config: { lr: { value: 0.1 }, evenkeel: { value: { policy: 'stop' } } },
  });
  expect(body.data.upsertBucket).toMatchObject({
    inserted: true,
    bucket: { id: run, name, displayName: 'a name', project: { name: 'proj', entity: { name: 'evenkeel' } } },
  });
  expect((await upsert({ config: { lr: { value: 0.2 } } })).body.data.upsertBucket.inserted).toBe(false);
  expect(await post(history(0, row(0), row(1)))).toEqual({ status: 200, body: { stopped: false } });
  expect(await getRun(db, run)).toMatchObject({
    project: 'proj',
    name: 'a name',
    tags: ['t'],
    config: { lr: 0.2, evenkeel: { policy: 'stop' } },
    status: 'running',
    attempts: [{ number: 1, policy: { critical: { kind: 'stop' }, warning: { kind: 'observe' } } }],
    names: { loss: 'loss' },
  });
  expect(await lossesOf(run)).toEqual([
    [0, 0],
    [1, 1],
  ]);
});

test('a post that comes again changes nothing, also after a restart of the server', async () => {
  const first = await serve();
  await first.upsert();
  const posted = history(0, row(0, { loss: 1, text: 'x' }), row(1));
  await first.post(posted);
  await first.post(posted);
  await first.stop();
  const second = await serve({ name: first.name });
  await second.post(posted);
  await second.post(history(2, row(2)));
  expect(await lossesOf(second.run)).toEqual([
    [0, 1],
    [1, 1],
    [2, 2],
  ]);
  expect(await getRun(db, second.run)).toMatchObject({
    attempts: [{ number: 1 }],
    dropped: [{ field: 'custom.text', reason: 'text, lists, media and histograms are not kept', count: 1 }],
  });
});

test('a run whose client resumes it goes on in its next attempt, from the lines that are stored', async () => {
  const { upsert, post, resume, run, name } = await serve();
  expect((await resume()).body.data.model).toMatchObject({ name: 'proj', bucket: null });
  await upsert({ config: { lr: { value: 0.1 } }, tags: ['t'] });
  await post({
    files: {
      ...history(0, row(0), row(5)).files,
      'wandb-summary.json': { offset: 0, content: ['{"best":NaN}'] },
      'output.log': { offset: 0, content: ['2026-01-01T00:00:00.000001 one'] },
    },
  });
  const { bucket } = (await resume()).body.data.model;
  expect(bucket).toMatchObject({
    id: run,
    name,
    historyLineCount: 2,
    eventsLineCount: 0,
    logLineCount: 1,
    tags: ['t'],
  });
  expect(JSON.parse(bucket.config)).toEqual({ lr: { value: 0.1 } });
  expect(JSON.parse(JSON.parse(bucket.historyTail)[0])).toEqual({ _step: 5, _timestamp: T0 + 5, _runtime: 5 });
  expect(JSON.parse(bucket.summaryMetrics)).toEqual({ best: 'NaN' });
  expect(JSON.parse(bucket.wandbConfig)).toHaveProperty('t');
  await upsert();
  const event = JSON.stringify({ _timestamp: T0 + 9, 'system.cpu': 1 });
  await post({ files: { 'wandb-events.jsonl': { offset: 0, content: [event] } } }); // before its first step
  await post(history(2, row(3), row(4)));
  await post({ complete: true, exitcode: 0 });
  expect(await getRun(db, run)).toMatchObject({
    status: 'finished',
    attempts: [
      { number: 1, status: 'failed', lastStep: 5 },
      { number: 2, status: 'finished', firstStep: 3, lastStep: 4 },
    ],
  });
});

test('a job that is started again under the id of its run, and not resumed, counts its lines from 0', async () => {
  const { upsert, post, run } = await serve();
  await upsert();
  await post(history(0, row(0), row(1)));
  await post({ complete: true, exitcode: 1 });
  await upsert();
  await post(history(0, row(0, { loss: 7 }, T0 + 900)));
  expect(await getRun(db, run)).toMatchObject({
    status: 'running',
    attempts: [{ status: 'failed' }, { number: 2, status: null, lastStep: 0 }],
  });
});

test('a job that is started again, whose first post fails midway and is sent again, is one attempt', async () => {
  const served = await openTestDatabase();
  onTestFinished(() => served.close());
  const { upsert, post, run, door } = await serve({ served });
  await upsert();
  await post(history(0, row(0)));
  const again = history(0, row(0, { loss: 7 }, T0 + 900)).files;
  const posted = { files: { ...again, 'output.log': { offset: 0, content: ['a'] } } };
  await served.sql.execute('alter table console_line rename to hidden');
  expect((await post(posted)).status).toBe(503);
  expect((await post(posted)).status).toBe(503);
  await served.sql.execute('alter table hidden rename to console_line');
  expect((await post(posted)).status).toBe(200);
  expect((await getRun(served, run))?.attempts.map(({ number, status }) => [number, status])).toEqual([
    [1, 'failed'],
    [2, null],
  ]);
  door.errors.length = 0;
});

test('two processes that write one run at once lose no line, and the run ends with the last of them', async () => {
  const { upsert, post, run } = await serve();
  await upsert();
  await upsert();
  const rank = (name: string, from: number) => (step: number) => row(step, { [name]: step }, T0 + from);
  const [a, b] = [rank('a', 0), rank('b', 0.5)];
  const output = (offset: number, ...content: string[]) => ({ 'output.log': { offset, content } });
  await post({ files: { ...history(0, a(0), a(1), a(2)).files, ...output(0, 'a0', 'a1') } });
  await post({ files: { ...history(0, b(0), b(1)).files, ...output(0, 'b0') } });
  await post({ files: { ...history(3, a(3)).files, ...output(2, 'a2') } });
  await post({ ...history(2, b(2), b(3)), complete: true, exitcode: 0 });
  expect(await getRun(db, run)).toMatchObject({ status: 'running' });
  await post({ ...history(4, a(4)), complete: true, exitcode: 0 });
  expect(await getRun(db, run)).toMatchObject({ status: 'finished', attempts: [{ number: 1 }] });
  const stored = (await recentSteps(db, { run, limit: 50 })).map(({ step, custom }) => [step, custom]);
  expect(stored.toSorted()).toEqual([...[0, 1, 2, 3].map((step) => [step, { a: step, b: step }]), [4, { a: 4 }]]);
  const { lines } = await readConsole(db, { run, limit: 9 });
  expect(lines.map(({ text }) => text)).toEqual(['a0', 'a1', 'b0', 'a2']);
});

test('a run that was deleted begins again under the same id', async () => {
  const { upsert, post, run, name } = await serve();
  await upsert({ tags: ['old'] });
  await post(history(0, row(0), row(1)));
  await post({ complete: true, exitcode: 0 });
  await deleteRun(db, { run, name });
  expect((await upsert()).body.data.upsertBucket.inserted).toBe(true);
  await post(history(0, row(0, { loss: 5 }, T0 + 900)));
  expect(await getRun(db, run)).toMatchObject({ status: 'running', tags: [], attempts: [{ number: 1, lastStep: 0 }] });
  expect(await lossesOf(run)).toEqual([[0, 5]]);
});

test('a run that is deleted after its end begins again with the next post', async () => {
  const { upsert, post, run, name } = await serve();
  await upsert();
  await post(history(0, row(0, { loss: 4 })));
  await post({ ...history(1, row(1, { loss: 3 })), complete: true, exitcode: 0 });
  await deleteRun(db, { run, name });
  expect((await post(history(2, row(2, { loss: 2 })))).status).toBe(200);
  expect(await lossesOf(run)).toEqual([[2, 2]]);
});

test.each([
  [{ exitcode: 0 }, 'finished', null],
  [{ exitcode: 255 }, 'failed', 'exit code 255'],
  [{}, 'finished', 'its client did not report an exit code'],
])('complete with %j is the end', async (sent, status, reason) => {
  const { upsert, post, run } = await serve();
  await upsert();
  for (let time = 0; time < 2; time++) await post({ complete: true, ...sent });
  expect(await getRun(db, run)).toMatchObject({ status, reason, attempts: [{ status }] });
});

test('a command to stop is answered to both questions until the end, also after a restart; others fail', async () => {
  const first = await serve();
  await first.upsert();
  const stopped = async ({ ask, name }: typeof first) =>
    (await ask('RunStoppedStatus', { runId: name, projectName: 'proj', entityName: 'evenkeel' })).body.data.project.run
      .stopped;
  expect(await stopped(first)).toBe(false);
  const given = { run: first.run, by: 'ada' };
  await giveCommand(db, { ...given, reason: 'save', action: { kind: 'checkpoint' } }, new Date());
  expect(await stopped(first)).toBe(false);
  await giveCommand(db, { ...given, reason: 'too hot', action: { kind: 'stop' } }, new Date());
  expect((await first.post({})).body).toEqual({ stopped: true });
  await first.stop();
  const second = await serve({ name: first.name });
  expect(await stopped(second)).toBe(true);
  expect((await second.post(history(0, row(0)))).body).toEqual({ stopped: true });
  expect((await second.post({ complete: true, exitcode: 0 })).body).toEqual({ stopped: true });
  expect(await getRun(db, first.run)).toMatchObject({ status: 'stopped', reason: 'too hot' });
  expect(await listCommands(db, { run: first.run, limit: 9 })).toMatchObject([
    { kind: 'stop', status: 'done' },
    { kind: 'checkpoint', status: 'failed', error: 'a script of W&B can only be stopped' },
  ]);
  await second.resume();
  await second.upsert();
  expect((await second.post({})).body).toEqual({ stopped: false });
});

test('the answer to a post has what a policy makes of it', async () => {
  const { upsert, post, run, door } = await serve();
  await upsert({ tags: ['evenkeel:stop'] });
  expect((await post(history(0, row(0), row(1), row(2)))).body).toEqual({ stopped: false });
  await door.ingest.settled(); // how its steps come is known then
  const bad = '{"_step":3,"_timestamp":1700000003,"_runtime":3,"loss":NaN}';
  expect((await post(history(3, bad, row(4)))).body).toEqual({ stopped: true });
  await post({ complete: true, exitcode: 255 });
  expect(await getRun(db, run)).toMatchObject({ status: 'stopped' });
});

test('who asks for a stop right before a post is answered with what the post leads to', async () => {
  const { upsert, post, ask, name, door } = await serve({ stopWaitMs: 60_000 });
  await upsert({ tags: ['evenkeel:stop'] });
  await post(history(0, row(0), row(1), row(2)));
  await door.ingest.settled();
  const asked = ask('RunStoppedStatus', { runId: name, projectName: 'proj', entityName: 'evenkeel' });
  await post(history(3, '{"_step":3,"_timestamp":1700000003,"_runtime":3,"loss":NaN}', row(4)));
  expect((await asked).body.data.project.run.stopped).toBe(true);
});

test('output, alerts of the script and files', async () => {
  const { upsert, post, ask, run, name } = await serve();
  await upsert();
  await post({
    files: { 'output.log': { offset: 0, content: ['2026-01-01T00:00:00.5 a', 'ERROR 2026-01-01T00:00:01.5 b'] } },
  });
  const alert = {
    runName: name,
    projectName: 'proj',
    entityName: 'evenkeel',
    title: 'Bad',
    text: 'so bad',
    severity: 'WARN',
  };
  expect((await ask('NotifyScriptableRunAlert', alert)).body).toEqual({
    data: { notifyScriptableRunAlert: { success: true } },
  });
  const files = ['config.yaml', 'media/images/x_0.png', 'model.pt'];
  expect((await ask('CreateRunFiles', { run: name, project: 'proj', entity: 'evenkeel', files })).body.data).toEqual({
    createRunFiles: { runID: name, uploadHeaders: [], files: [] },
  });
  expect((await readConsole(db, { run, limit: 9 })).lines).toMatchObject([
    { line: 0, stream: 'stdout', text: 'a' },
    { line: 1, stream: 'stderr', text: 'b' },
  ]);
  expect(await readHistory(db, { run, limit: 9 })).toMatchObject([{ kind: 'report', reason: 'WARN: Bad: so bad' }]);
  expect((await getRun(db, run))?.dropped).toEqual([{ field: 'files', reason: 'files are not kept', count: 2 }]);
});

test('what cannot be read is counted, and the client goes on', async () => {
  const { upsert, post, send, path, run } = await serve();
  await upsert();
  for (const body of ['', '[]', '{"files":{"wandb-history.jsonl":{"offset":-1,"content":[]}}}'])
    expect(await send(path, body)).toEqual({ status: 200, body: {} });
  expect((await send(path, `"${'x'.repeat(33 * 1024 * 1024)}"`)).status).toBe(200);
  await post(history(0, row(0)));
  expect(await getRun(db, run)).toMatchObject({
    lastStep: 0,
    dropped: [
      { field: 'file_stream', reason: 'could not be read', count: 3 },
      { field: 'file_stream', reason: 'is larger than 32 MiB', count: 1 },
    ],
  });
});

test('the owner of a run is the user that its client names, else the entity', async () => {
  const { door, send } = await serve();
  const begin = async (variables: object, headers = {}) => {
    const body = JSON.stringify({ query: 'mutation UpsertBucket { x }', variables });
    const answer = await send('/graphql', body, headers);
    expect(answer.status).toBe(200);
    return (await getRun(db, answer.body.data.upsertBucket.bucket.id))?.owner;
  };
  const user = { 'X-WANDB-USERNAME': 'ada', 'X-WANDB-USER-EMAIL': '' };
  const email = { 'X-WANDB-USERNAME': '', 'X-WANDB-USER-EMAIL': 'bob@lab.test' };
  expect(await begin({ name: 'own1', project: 'p' }, user)).toBe('ada');
  expect(await begin({ name: 'own2', project: 'p', entity: 'lab' }, email)).toBe('bob@lab.test');
  expect(await begin({ name: 'own3', project: 'p', entity: 'lab' })).toBe('lab');
  expect(await begin({ name: 'own4', project: 'p' })).toBeNull();
  expect(door.errors).toEqual([]);
});

test('what there is not is an error as GraphQL has it', async () => {
  const { ask, send } = await serve();
  expect(await ask('SweepCreate')).toEqual({
    status: 200,
    body: { errors: [{ message: 'query: Evenkeel has no operation SweepCreate' }] },
  });
  expect((await ask('UpsertBucket', { name: 5 })).body.errors[0].message).toMatch(/^name: /);
  expect((await send('/graphql', '{')).body.errors).toHaveLength(1);
  expect((await send('/sdk/otel/v1/metrics', '')).status).toBe(404);
});

test('a run of another key is refused, and a key that is unknown or revoked', async () => {
  const served = await openTestDatabase();
  onTestFinished(() => served.close());
  const keys = [await createApiKey(served, 'ada', new Date()), await createApiKey(served, 'bob', new Date())] as const;
  const ada = await serve({ served, key: keys[0].secret });
  const bob = await serve({ served, key: keys[1].secret, name: ada.name });
  expect((await ada.ask('Viewer')).body.data.viewer).toMatchObject({ username: 'ada', entity: 'evenkeel' });
  expect((await ada.upsert()).body.data.upsertBucket.inserted).toBe(true);
  expect((await bob.upsert()).body.errors).toHaveLength(1);
  expect((await bob.post(history(0, row(0)))).status).toBe(403);
  const nobody = await serve({ served, key: 'guess' });
  const unknown = { status: 401, body: { errors: [{ message: 'this ingest key is unknown or revoked' }] } };
  expect(await nobody.upsert()).toEqual(unknown);
  expect(await nobody.post({})).toEqual(unknown);
  await revokeApiKey(served, keys[0].key.id, new Date());
  ada.door.events.publish({ kind: 'keys changed' });
  expect(await ada.post({})).toEqual(unknown);
});

test('without keys a client that has no access token does not read a run by resuming it', async () => {
  const token = 'correct-horse-battery-staple-and-so-on-1';
  const stranger = await serve({ token });
  expect((await stranger.resume()).body.data.model.bucket).toBeNull();
  await stranger.upsert({ config: { secret: { value: 'x' } } });
  expect(await stranger.resume()).toEqual({
    status: 403,
    body: {
      errors: [{ message: 'to resume a run takes an ingest key, or the access token, as WANDB_API_KEY' }],
    },
  });
  expect((await stranger.post(history(0, row(0)))).body).toEqual({ stopped: false });
  const viewer = await serve({ token, key: token, name: stranger.name });
  expect(JSON.parse((await viewer.resume()).body.data.model.bucket.config)).toEqual({ secret: { value: 'x' } });
});

test('who guesses keys or the access token waits after some, and a right key does not', async () => {
  const served = await openTestDatabase();
  onTestFinished(() => served.close());
  const guesser = await serve({ served, key: 'guess', token: 'correct-horse' });
  await guesser.upsert();
  const answers: number[] = [];
  for (let guess = 0; guess <= MAX_WRONG; guess++) answers.push((await guesser.resume()).status);
  expect(answers).toEqual([...Array(MAX_WRONG).fill(403), 429]);
  const { secret } = await createApiKey(served, 'ada', new Date());
  const wrong = await serve({ served, key: 'guess' });
  answers.length = 0;
  for (let guess = 0; guess <= MAX_WRONG; guess++) answers.push((await wrong.ask('Viewer')).status);
  expect(answers).toEqual([...Array(MAX_WRONG).fill(401), 429]);
  const authorization = `Basic ${Buffer.from(`api:${secret}`).toString('base64')}`;
  const body = JSON.stringify({ query: 'query Viewer { x }' });
  const right = await fetch(`${wrong.door.url}/graphql`, { method: 'POST', body, headers: { authorization } });
  expect(right.status).toBe(200);
});

test('while the database is away the client is asked to send the same again', async () => {
  const served = await openTestDatabase();
  const { upsert, post, door } = await serve({ served });
  await upsert();
  await served.close();
  expect((await post(history(0, row(0)))).status).toBe(503);
  expect((await upsert()).status).toBe(503);
  expect(door.errors.length).toBeGreaterThan(0);
});

test('the pages that a client prints are those of the run and of its project', async () => {
  const { door, run, name } = await serve();
  const locationOf = async (path: string) =>
    (await fetch(`${door.url}${path}`, { redirect: 'manual' })).headers.get('location');
  expect(await locationOf(`/evenkeel/proj/runs/${name}`)).toBe(`/runs/${run}`);
  expect(await locationOf('/evenkeel/my%20proj')).toBe('/?project=my+proj');
});
