import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  archiveRun,
  type Database,
  giveCommand,
  insertSteps,
  raiseAlert,
  removeStep,
  reportDropped,
  startRun,
} from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import type { HealthReport } from '@evenkeel/ingest';
import { parse, readRecordedLine, runStart, STEP_FIELDS, type StepEvent } from '@evenkeel/protocol';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { Assets } from './assets.ts';
import { ClientAddresses } from './client-address.ts';
import { httpListener } from './http.ts';
import { OriginGuard } from './origin-guard.ts';
import { Sessions } from './session.ts';

const TOKEN = 'correct-horse-battery';
const NOW = new Date('2026-01-02T03:04:05.678Z');
const [RUN, OLD, ARCHIVED] = ['0', '1', '2'].map((end) => `01890a5d-ac96-774b-bcce-b302099a805${end}`) as [
  string,
  string,
  string,
];
const DESCRIPTION_ID = 'https://evenkeel.test/description';
const NOBODY = '01890a5d-ac96-774b-bcce-b302099a8059';
const NAN_NAME = 'eval, "loss"';

const HEALTHY: HealthReport = {
  status: 'ok',
  reasons: [],
  ingest: {
    unacknowledgedBatches: 0,
    unacknowledgedBytes: 0,
    oldestUnacknowledgedMs: null,
    commitInFlightMs: null,
    lastCommit: null,
  },
};

let db: Database;
beforeAll(async () => {
  db = await openTestDatabase();
  await fill(db);
});
afterAll(() => db.close());

const aStep = (step: number, over: Partial<StepEvent> = {}): StepEvent => ({
  step,
  time: NOW.getTime() + step,
  ...over,
});

async function begin(run: string, over: object = {}): Promise<void> {
  await startRun(db, parse(runStart, { run, attempt: 1, project: 'lab', name: 'even', startedAt: 0, ...over }), NOW);
}

/** A run with something of everything, one that is older, and one that is archived. */
async function fill(db: Database): Promise<void> {
  const config = { lr: 0.1, model: { layers: 4 }, clip: { $number: 'Infinity' } };
  const policy = { critical: { kind: 'reduce-lr', factor: 0.5 } };
  const described = { config, policy, tags: ['a'], layers: ['h0', 'h1'], startedAt: NOW.getTime() };
  await begin(RUN, described);
  await begin(OLD, { name: 'old', startedAt: NOW.getTime() - 1_000 });
  await begin(ARCHIVED, { name: 'archived' });
  const first = [
    aStep(0, { loss: 2.5, lr: 0.1, tokens: 10, layerGradVar: [0.5, Number.NaN] }),
    aStep(1, { loss: Number.NaN, custom: { acc: 0.25, loss: 7 } }),
    aStep(2, { loss: Number.POSITIVE_INFINITY, custom: { [NAN_NAME]: Number.NEGATIVE_INFINITY } }),
    aStep(3, { lr: -0 }),
  ];
  await insertSteps(db, [{ run: RUN, attempt: 1, steps: first }], NOW);
  await begin(RUN, { ...described, attempt: 2 });
  await insertSteps(db, [{ run: RUN, attempt: 2, steps: [aStep(3, { loss: 1.5 }), aStep(5, { loss: 1e-300 })] }], NOW);
  await reportDropped(db, {
    run: RUN,
    attempt: 2,
    source: 'x',
    values: [{ field: 'loss', reason: 'not a number', count: 3 }],
  });
  const finding = {
    attempt: 1,
    step: 2,
    message: 'it is',
    evidence: { value: 1.5 },
    window: [0, 2],
    risk: null,
  } as const;
  for (const [at, rule] of ['non-finite', 'loss-spike', 'stalled'].entries())
    await raiseAlert(
      db,
      RUN,
      { ...finding, window: [0, 2], rule, severity: 'critical', divergenceStep: null },
      new Date(NOW.getTime() + at),
    );
  await giveCommand(db, { run: RUN, by: 'ada', reason: 'why not', action: { kind: 'checkpoint' } }, NOW);
  await giveCommand(db, { run: RUN, by: null, reason: 'too hot', action: { kind: 'reduce-lr', factor: 0.5 } }, NOW);
  for (const archived of [true, false, true]) await archiveRun(db, { run: ARCHIVED, archived, by: 'ada' }, NOW);
}

async function serve(served = db) {
  const log: string[] = [];
  const http = createServer(
    httpListener({
      originGuard: new OriginGuard([]),
      sessions: new Sessions(TOKEN, () => new Date(), new ClientAddresses(['127.0.0.1'])),
      api: (principal) => ({
        db: served,
        now: () => NOW,
        principal,
        events: { publish: () => {} },
        command: () => Promise.reject(new Error('no trainer is here')),
      }),
      log: (level, message, error) => log.push(`${level} ${message}: ${error}`),
      health: { version: '1.2.3', database: db.kind, live: () => HEALTHY, ready: async () => HEALTHY },
      pages: async (_, response) => void response.end('a page'),
      assets: new Assets(new Map()),
      doors: [],
    }),
  );
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
    expect(log).toEqual([]);
  });
  const get = async (path: string, init: RequestInit = {}) => {
    const answer = await fetch(`${url}/api/v1${path}`, { headers: { authorization: `Bearer ${TOKEN}` }, ...init });
    return { status: answer.status, headers: answer.headers, body: await answer.text() };
  };
  const read = async (path: string) => {
    const { status, body } = await get(path);
    if (status !== 200) throw new Error(`${path}: ${status} ${body}`);
    return JSON.parse(body);
  };
  const refused = async (path: string) => {
    const { status, body } = await get(path);
    return [status, JSON.parse(body).error];
  };
  const lines = async (path: string) =>
    (await get(path)).body
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  /** A request whose answer nobody reads until the test does; `client` is whose limits it counts towards. */
  const open = (path: string, client: string) => {
    const headers = { authorization: `Bearer ${TOKEN}`, 'X-Forwarded-For': client };
    const sent = request(`${url}/api/v1${path}`, { headers, agent: false });
    const answer = new Promise<IncomingMessage>((resolve, reject) =>
      sent.once('response', resolve).once('error', reject),
    );
    answer.catch(() => {}); // those that are cut when the test ends
    sent.end();
    return { sent, answer };
  };
  return { http, log, get, read, refused, lines, open };
}

type Schema = Record<string, unknown>;
interface Description {
  paths: Record<string, { get: { responses: Record<string, { content: Record<string, { schema: Schema }> }> } }>;
  components: { schemas: Record<string, Schema> };
}

/** The same schema that takes no properties but those it names: what the description leaves out must not be answered. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const parts = Object.fromEntries(Object.entries(schema).map(([key, part]) => [key, closed(part)]));
  return 'properties' in parts && !('additionalProperties' in parts)
    ? { ...parts, additionalProperties: false }
    : parts;
}

/** What answers of a route are to be. */
function validatorOf(description: Description, path: string, type = 'application/json') {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ $id: DESCRIPTION_ID, ...(closed({ components: description.components }) as Schema) });
  const schema = description.paths[path]?.get.responses['200']?.content[type]?.schema;
  if (typeof schema?.$ref !== 'string') throw new Error(`${path} is not described`);
  return ajv.compile({ $ref: `${DESCRIPTION_ID}${schema.$ref}` });
}

describe('the description', () => {
  test('is OpenAPI 3.1', async () => {
    const { read } = await serve();
    const description = await read('/openapi.json');
    expect(description).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
    expect(await new Validator().validate(description)).toEqual({ valid: true });
  });

  const ANSWERS: [string, string][] = [
    ['/runs', '/runs'],
    ['/runs/{run}', `/runs/${RUN}`],
    ['/runs/{run}/keys', `/runs/${RUN}/keys`],
    ['/alerts', '/alerts'],
    ['/runs/{run}/commands', `/runs/${RUN}/commands`],
    ['/runs/{run}/events', `/runs/${ARCHIVED}/events`],
  ];

  test.each(ANSWERS)('%s answers what it says', async (path, asked) => {
    const { read } = await serve();
    const validate = validatorOf(await read('/openapi.json'), path);
    const answer = await read(asked);
    validate(answer);
    expect(validate.errors).toBeNull();
    for (const value of Object.values(answer)) if (Array.isArray(value)) expect(value).not.toEqual([]);
  });

  test('a line of a history is what it says', async () => {
    const { read, lines } = await serve();
    const description = await read('/openapi.json');
    const validate = validatorOf(description, '/runs/{run}/history', 'application/x-ndjson');
    for (const line of await lines(`/runs/${RUN}/history?attempt=1&key=loss&key=layerGradVar&key=acc`)) {
      validate(line);
      expect(validate.errors).toBeNull();
    }
    const described = Object.keys(description.paths).sort();
    const others = ['/runs/{run}/export', '/runs/{run}/facts', '/runs/{run}/history'];
    expect(described).toEqual([...ANSWERS.map(([path]) => path), ...others].sort());
  });

  test('the facts of a run are what it says', async () => {
    const { read } = await serve();
    const validate = validatorOf(await read('/openapi.json'), '/runs/{run}/facts');
    const facts = await read(`/runs/${RUN}/facts`);
    validate(facts);
    expect(validate.errors).toBeNull();
    expect(facts.run).toEqual(await read(`/runs/${RUN}`));
    expect(facts.alerts).toEqual((await read(`/alerts?run=${RUN}`)).alerts);
    expect(facts.commands).toEqual((await read(`/runs/${RUN}/commands`)).commands);
    expect((await read(`/runs/${ARCHIVED}/facts`)).events).toEqual((await read(`/runs/${ARCHIVED}/events`)).events);
    expect(facts.incomplete).toEqual([]);
  });

  test('every parameter is described, and another is refused', async () => {
    const { read, refused } = await serve();
    const { paths } = await read('/openapi.json');
    const history = paths['/runs/{run}/history'].get.parameters.map(({ name }: { name: string }) => name);
    expect(history).toEqual(['run', 'key', 'from', 'to', 'attempt', 'limit', 'format']);
    expect(await refused('/runs?stauts=running')).toEqual([
      400,
      expect.stringContaining('there is no parameter stauts'),
    ]);
    for (const path of ANSWERS) expect((await refused(`${path[1]}?__proto__=1`))[0]).toBe(400);
  });
});

describe('who may read', () => {
  test('nobody without a session, not even the description', async () => {
    const { get } = await serve();
    for (const path of ['/runs', `/runs/${RUN}`, `/runs/${RUN}/history`, '/alerts', '/openapi.json', '/nothing']) {
      expect((await get(path, { headers: {} })).status).toBe(401);
      expect((await get(path, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
    }
  });

  test('only reads are answered, and only below existing paths', async () => {
    const { get, refused } = await serve();
    const headers = { authorization: `Bearer ${TOKEN}` };
    for (const method of ['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS'])
      expect((await get('/runs', { method, headers })).status).toBe(405);
    for (const path of ['/nothing', '/runs/', `/runs/${RUN}/`, `/runs/${RUN}/steps`])
      expect(await refused(path)).toEqual([404, expect.stringContaining('/api/v1/openapi.json')]);
    for (const path of ['/runs/x', '/runs/..%2f', `/runs/${RUN}%00`]) expect((await get(path)).status).toBe(400);
  });
});

function aCursor(...place: (string | number)[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

describe('runs', () => {
  const names = (page: { runs: { name: string }[] }) => page.runs.map(({ name }) => name);

  test('are listed newest first, by pages, as the board narrows and sorts them', async () => {
    const { read } = await serve();
    expect(names(await read('/runs'))).toEqual(['even', 'old']);
    const first = await read('/runs?limit=1');
    expect(names(first)).toEqual(['even']);
    expect(await read(`/runs?limit=1&cursor=${first.nextCursor}`)).toMatchObject({
      runs: [{ name: 'old' }],
      nextCursor: null,
    });
    expect(names(await read('/runs?archived=1'))).toEqual(['archived']);
    expect(names(await read('/runs?config=lr=0.1,model.layers=4'))).toEqual(['even']);
    expect(names(await read('/runs?sort=-name'))).toEqual(['old', 'even']);
    expect(names(await read('/runs?q=OL&status=running,lost&project=lab'))).toEqual(['old']);
    expect(names(await read(`/runs?from=${NOW.toISOString()}`))).toEqual(['even']);
    expect(names(await read(`/runs?before=${NOW.toISOString()}`))).toEqual(['old']);
    expect(names(await read('/runs?within=0'))).toEqual(['even']);
  });

  test.each([
    ['limit=0', /^limit: /],
    ['limit=1e2', /^limit: must be an integer/],
    ['limit=201', /^limit: .*200/],
    ['limit=1&limit=2', /^limit: was given more than once/],
    ['cursor=x', /^cursor: is not one of this list/],
    ['status=', /^status/],
    ['status=running,exploded', /^status\[1\]: /],
    ['config=lr', /^config: must be/],
    ['from=yesterday', /^from: must be 2026-01-31/],
    ['sort=luck', /^sort: /],
    ['q=%00', /^q: .*NUL/],
    ['config=a=%00', /^config: .*NUL/],
    ['from=0000-01-01', /^from: must be in the years 0001 to 9999/],
    ['before=9999-12-31T23:00:00-02:00', /^before: must be in the years 0001 to 9999/],
    [`cursor=${aCursor('0000-01-01T00:00:00+00:00', NOBODY)}`, /^cursor: is not one of this list/],
    [`cursor=${aCursor('2026-01-01T00:00:00+16:00', NOBODY)}`, /^cursor: is not one of this list/],
    ['archived=maybe', /^archived: /],
  ])('%s is refused by its name', async (search, error) => {
    const { refused } = await serve();
    expect(await refused(`/runs?${search}`)).toEqual([400, expect.stringMatching(error)]);
  });

  test.each(['+010000-01-01T00:00:00.000Z', '0000-01-01T00:00:00.000Z'])(
    'a cursor of alerts at %s is refused',
    async (time) => {
      const { refused } = await serve();
      const cursor = aCursor(time, NOBODY);
      expect(await refused(`/alerts?cursor=${cursor}`)).toEqual([400, expect.stringMatching(/^cursor: /)]);
    },
  );

  test.each(['/keys', '/commands', '/events', '/history', '/export', '/facts'])(
    '%s of an unknown run is not found',
    async (path) => {
      const { refused } = await serve();
      expect(await refused(`/runs/${NOBODY}${path}`)).toEqual([404, `there is no run ${NOBODY}`]);
      expect(await refused(`/alerts?run=${NOBODY}`)).toEqual([404, `there is no run ${NOBODY}`]);
    },
  );

  test('one is answered with all that is known of it', async () => {
    const { read, refused } = await serve();
    const run = await read(`/runs/${RUN.toUpperCase()}`);
    expect(run).toMatchObject({
      id: RUN,
      startedAt: NOW.toISOString(),
      config: { lr: 0.1, model: { layers: 4 }, clip: { $number: 'Infinity' } },
      lastStep: 5,
      loss: 1e-300,
      dropped: [{ field: 'loss', reason: 'not a number', count: 3 }],
      attempts: [
        { number: 1, policy: { critical: { kind: 'reduce-lr', factor: 0.5 } } },
        { number: 2, firstStep: 3 },
      ],
    });
    expect(await refused(`/runs/${NOBODY}`)).toEqual([404, `there is no run ${NOBODY}`]);
  });

  test('a loss that is not finite is text', async () => {
    const { read } = await serve();
    const run = '01890a5d-ac96-774b-bcce-b302099a8053';
    await begin(run, { project: 'odd' });
    await insertSteps(db, [{ run, attempt: 1, steps: [aStep(0, { loss: Number.NEGATIVE_INFINITY })] }], NOW);
    expect(await read('/runs?project=odd')).toMatchObject({ runs: [{ loss: '-Infinity' }] });
  });
});

describe('a history', () => {
  const path = `/runs/${RUN}/history`;
  const at = (step: number) => ({ step, time: NOW.getTime() + step });

  test('has every scalar of every step of the timeline, and what is not finite as text', async () => {
    const { lines } = await serve();
    expect(await lines(path)).toEqual([
      { attempt: 1, ...at(0), loss: 2.5, lr: 0.1, tokens: 10 },
      { attempt: 1, ...at(1), loss: 'NaN', acc: 0.25, 'custom:loss': 7 },
      { attempt: 1, ...at(2), loss: 'Infinity', [NAN_NAME]: '-Infinity' },
      { attempt: 2, ...at(3), loss: 1.5 },
      { attempt: 2, ...at(5), loss: 1e-300 },
    ]);
  });

  test('has the keys that are asked for, of the steps that carry any of them', async () => {
    const { lines } = await serve();
    expect(await lines(`${path}?key=acc&key=custom:loss&key=layerGradVar&key=step&key=never`)).toEqual([
      { attempt: 1, ...at(0), layerGradVar: [0.5, 'NaN'] },
      { attempt: 1, ...at(1), acc: 0.25, 'custom:loss': 7 },
    ]);
    expect(await lines(`${path}?key=step&key=time&from=3`)).toEqual([
      { attempt: 2, ...at(3) },
      { attempt: 2, ...at(5) },
    ]);
    expect(await lines(`${path}?key=loss&from=1&to=3&limit=2`)).toEqual([
      { attempt: 1, ...at(1), loss: 'NaN' },
      { attempt: 1, ...at(2), loss: 'Infinity' },
    ]);
  });

  test('of one attempt has all that it stored, also what another superseded', async () => {
    const { get } = await serve();
    expect((await get(`${path}?attempt=1&from=3&key=lr`)).body).toBe(
      `{"attempt":1,"step":3,"time":${at(3).time},"lr":-0.0}\n`,
    );
  });

  test('is CSV where that is asked for', async () => {
    const { get } = await serve();
    const { headers, body } = await get(
      `${path}?format=csv&key=loss&key=${encodeURIComponent(NAN_NAME)}&key=layerGradVar`,
    );
    expect(headers.get('content-type')).toMatch(/^text\/csv/);
    const [t0, t1, t2, t3, t5] = [0, 1, 2, 3, 5].map((step) => at(step).time);
    expect(body).toBe(
      [
        'attempt,step,time,loss,"eval, ""loss""",layerGradVar',
        `1,0,${t0},2.5,,"[0.5,""NaN""]"`,
        `1,1,${t1},NaN,,`,
        `1,2,${t2},Infinity,-Infinity,`,
        `2,3,${t3},1.5,,`,
        `2,5,${t5},1e-300,,`,
        '',
      ].join('\n'),
    );
  });

  test('of no steps is empty, and of no run 404', async () => {
    const { get, refused } = await serve();
    expect(await get(`/runs/${OLD}/history`)).toMatchObject({ status: 200, body: '' });
    expect((await get(`/runs/${OLD}/history?format=csv&key=loss`)).body).toBe('attempt,step,time,loss\n');
    expect(await refused(`/runs/${NOBODY}/history`)).toEqual([404, `there is no run ${NOBODY}`]);
    expect(await refused(`${path}?attempt=99`)).toEqual([404, 'the run has no attempt 99']);
    expect(await refused(`${path}?from=x`)).toEqual([400, 'from: must be an integer']);
    expect(await refused(`${path}?key=`)).toEqual([400, expect.stringMatching(/^key\[0\]: /)]);
  });

  test('the keys of custom scalars are listed, by pages', async () => {
    const { read } = await serve();
    expect(await read(`/runs/${RUN}/keys`)).toEqual({ keys: ['acc', NAN_NAME, 'custom:loss'], nextCursor: null });
    const first = await read(`/runs/${RUN}/keys?limit=2`);
    expect(await read(`/runs/${RUN}/keys?limit=2&cursor=${encodeURIComponent(first.nextCursor)}`)).toEqual({
      keys: ['custom:loss'],
      nextCursor: null,
    });
    expect((await read(`/runs/${RUN}/keys?q=EVAL`)).keys).toEqual([NAN_NAME]);
  });
});

describe('an export', () => {
  const EXACT = '01890a5d-ac96-774b-bcce-b302099a8055';
  const CUSTOM = ['val.loss', 'time', 'Über "x"\n', '2'];
  const [NAN, INFINITY] = [Number.NaN, Number.POSITIVE_INFINITY];
  const FIRST: StepEvent[] = [
    aStep(-(2 ** 40), { loss: NAN, tokens: 2 ** 53 - 1, tevQuantiles: [0, 1, 2, 3, 4, NAN, INFINITY, -INFINITY, -0] }),
    aStep(-1, { loss: INFINITY, lr: -0, custom: { 'val.loss': 5e-324, time: -0, 'Über "x"\n': NAN } }),
    aStep(0, { loss: -INFINITY, lr: 0, custom: { 'val.loss': 0.1 + 0.2, '2': -1.7976931348623157e308 } }),
    aStep(1, { gradNorm: 1 / 3, layerGradVar: [0.5, NAN], layerOutVar: [-0, 2 ** -10] }),
  ];
  const SECOND: StepEvent[] = [aStep(1, { loss: 1, lr: -0 }), aStep(2, { loss: 0, tokens: 0 })];
  const path = `/runs/${EXACT}/export`;
  const config = { seed: { $number: '9007199254740993' }, lr: 0.1 };

  beforeAll(async () => {
    await begin(EXACT, { project: 'exact', name: 'lr 3/4 é', config, layers: ['h0', 'h1'] });
    await insertSteps(db, [{ run: EXACT, attempt: 1, steps: FIRST }], NOW);
    await begin(EXACT, { project: 'exact', name: 'lr 3/4 é', config, layers: ['h0', 'h1'], attempt: 2 });
    await insertSteps(db, [{ run: EXACT, attempt: 2, steps: SECOND }], NOW);
  });

  /** A step as a row of a Parquet file is to have it: every column, null where the step does not carry it. */
  function rowOf(attempt: number, { step, time, custom = {}, ...fields }: StepEvent): Record<string, unknown> {
    const scalars = STEP_FIELDS.map(({ name, kind }) => {
      const value = fields[name] ?? null;
      return [name, kind === 'count' && value !== null ? BigInt(Number(value)) : value];
    });
    const customs = CUSTOM.map((name) => [name === 'time' ? 'custom:time' : name, custom?.[name] ?? null]);
    return { attempt, step: BigInt(step), time: new Date(time), ...Object.fromEntries([...scalars, ...customs]) };
  }

  async function parquet(search: string) {
    const { http } = await serve();
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/api/v1${search}`;
    const answer = await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } });
    const file = await answer.arrayBuffer();
    const rows = await parquetReadObjects({ file });
    return { headers: answer.headers, rows: rows.map(nullsOf), metadata: parquetMetadata(file) };
  }

  /** The reader gives an absent list as undefined. */
  function nullsOf(row: Record<string, unknown>) {
    return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? null]));
  }

  test('as Parquet has every value of the timeline, bit for bit', async () => {
    const { headers, rows, metadata } = await parquet(path);
    expect(headers.get('content-type')).toBe('application/vnd.apache.parquet');
    expect(headers.get('content-disposition')).toBe(
      `attachment; filename="lr_3_4_.parquet"; filename*=UTF-8''lr%203%2F4%20%C3%A9.parquet`,
    );
    expect(rows).toEqual([...FIRST.slice(0, 3).map((step) => rowOf(1, step)), ...SECOND.map((step) => rowOf(2, step))]);
    expect(metadata.schema.map(({ name }) => name).slice(0, 5)).toEqual(['root', 'attempt', 'step', 'time', 'loss']);
  });

  test('as Parquet has what is known of the run beside its steps', async () => {
    const { metadata } = await parquet(path);
    const { read } = await serve();
    const [about] = metadata.key_value_metadata ?? [];
    expect(about?.key).toBe('evenkeel.run');
    expect(JSON.parse(about?.value ?? '')).toEqual(await read(`/runs/${EXACT}/facts`));
    expect(JSON.parse(about?.value ?? '').run.config).toEqual(config);
  });

  test('of one attempt has all that it stored', async () => {
    const { rows } = await parquet(`${path}?attempt=1`);
    expect(rows).toEqual(FIRST.map((step) => rowOf(1, step)));
    const { refused } = await serve();
    for (const format of ['parquet', 'csv', 'jsonl'])
      expect(await refused(`${path}?format=${format}&attempt=9`)).toEqual([404, 'the run has no attempt 9']);
  });

  test('of a run without steps is a table without rows', async () => {
    const { rows, metadata } = await parquet(`/runs/${OLD}/export`);
    expect([rows, metadata.num_rows]).toEqual([[], 0n]);
  });

  test('as CSV has the same columns and values', async () => {
    const { get } = await serve();
    const { body, headers } = await get(`${path}?format=csv`);
    expect(headers.get('content-disposition')).toMatch(/\.csv$/);
    const { rows } = await parquet(path);
    const [head, ...lines] = parseCsv(body);
    expect(head?.toSorted()).toEqual(Object.keys(rows[0] ?? {}).toSorted());
    const read = lines.map((cells) =>
      Object.fromEntries((head ?? []).map((name, at) => [name, ofCell(cells[at] ?? '')])),
    );
    const plain = rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plainOf(value)])),
    );
    expect(read).toEqual(plain);
  });

  test('a history is Parquet where that is asked for, with the columns that are', async () => {
    const { rows } = await parquet(`/runs/${EXACT}/history?format=parquet&key=lr&key=custom:time&limit=1`);
    expect(rows).toEqual([{ attempt: 1, step: -1n, time: new Date(NOW.getTime() - 1), lr: -0, 'custom:time': -0 }]);
  });

  test('as a recording has every attempt with all that it stored, as its reader wants it', async () => {
    const { get } = await serve();
    const { body } = await get(`${path}?format=jsonl`);
    const lines = body.trimEnd().split('\n').map(readRecordedLine);
    const start = { type: 'run', id: EXACT, project: 'exact', name: 'lr 3/4 é', config, layers: ['h0', 'h1'] };
    expect(lines).toMatchObject([
      { ...start, attempt: 1 },
      ...FIRST.map((step) => ({ type: 'step', ...step })),
      { ...start, attempt: 2 },
      ...SECOND.map((step) => ({ type: 'step', ...step })),
    ]);
  });

  test('a recording leaves out the steps that a person has removed, which a table of the attempt has', async () => {
    const { get } = await serve();
    const run = '01890a5d-ac96-774b-bcce-b302099a8056';
    await begin(run, { project: 'exact' });
    await insertSteps(db, [{ run, attempt: 1, steps: [0, 1, 9_000].map((step) => aStep(step, { loss: 1 })) }], NOW);
    await removeStep(db, { run, attempt: 1, step: 9_000, removed: true, by: 'ada' }, NOW);
    const recording = (await get(`/runs/${run}/export?format=jsonl`)).body.trimEnd().split('\n').map(readRecordedLine);
    expect(recording).toMatchObject([{ type: 'run' }, { step: 0 }, { step: 1 }]);
    const { rows } = await parquet(`/runs/${run}/export?attempt=1`);
    expect(rows.map(({ step }) => step)).toEqual([0n, 1n, 9_000n]);
  });

  /** RFC 4180, cell by cell. */
  function parseCsv(text: string): string[][] {
    const rows: string[][] = [[]];
    for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\n"]*))(,|\n)/g)) {
      rows.at(-1)?.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'));
      if (end === '\n') rows.push([]);
    }
    return rows.slice(0, -1);
  }

  function ofCell(cell: string): unknown {
    if (cell === '') return null;
    return cell.startsWith('[') ? (JSON.parse(cell) as unknown[]).map(Number) : Number(cell);
  }

  function plainOf(value: unknown): unknown {
    return typeof value === 'bigint' || value instanceof Date ? Number(value) : value;
  }
});

describe('what streams', () => {
  const LONG = '01890a5d-ac96-774b-bcce-b302099a8054';
  const STEPS = 10_000;
  const NAMES = Array.from({ length: 20 }, (_, at) => `${at}`.padEnd(450, 'x'));
  const path = `/runs/${LONG}/history`;
  const lineCount = async (answer: IncomingMessage) => (await text(answer)).split('\n').length - 1;

  /** So long a history that no socket holds all of its text. */
  async function fillLong(db: Database): Promise<void> {
    await startRun(db, parse(runStart, { run: LONG, attempt: 1, project: 'long', name: 'long', startedAt: 0 }), NOW);
    const custom = Object.fromEntries(NAMES.map((name, at) => [name, at]));
    for (let from = 0; from < STEPS; from += 2_000) {
      const steps = Array.from({ length: 2_000 }, (_, at) => aStep(from + at, { custom }));
      await insertSteps(db, [{ run: LONG, attempt: 1, steps }], NOW);
    }
  }
  beforeAll(() => fillLong(db));

  test('waits for its client, and holds little meanwhile', async () => {
    const { http, open } = await serve();
    const arrived = once(http, 'request') as Promise<[IncomingMessage, ServerResponse]>;
    const answer = await open(path, '10.0.0.1').answer;
    const [, response] = await arrived;
    await vi.waitFor(() => expect(response.writableNeedDrain).toBe(true));
    expect(response.writableLength).toBeLessThan(1024 * 1024);
    expect(await lineCount(answer)).toBe(STEPS);
  });

  test('has places of its own: it takes none of the pages, and each client has its turn', async () => {
    const { get, open } = await serve();
    const held = Array.from({ length: 16 }, () => open(path, '10.0.0.1'));
    await Promise.all(held.map(({ answer }) => answer));
    const { statusCode, headers } = await open(`${path}?limit=1`, '10.0.0.1').answer;
    expect([statusCode, headers['retry-after']]).toEqual([503, '2']);
    for (let at = 0; at < 9; at++) expect((await get('/runs')).status).toBe(200);
    expect((await open(path, '10.0.0.2').answer).statusCode).toBe(200);
    held[0]?.sent.destroy(); // a client that goes leaves its place to the next
    await vi.waitFor(
      async () => {
        const next = await open(path, '10.0.0.1').answer;
        expect(next.statusCode).toBe(200);
        expect(await lineCount(next)).toBe(STEPS);
      },
      { timeout: 60_000 },
    );
  });

  test('is cut off where reading fails midway, so that it does not look whole', async () => {
    const other = await openTestDatabase();
    await fillLong(other);
    const { open, log } = await serve(other);
    const answer = await open(path, '10.0.0.1').answer;
    expect(answer.statusCode).toBe(200);
    await other.close();
    await expect(text(answer)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(log.splice(0)).toEqual([expect.stringMatching(/^error GET .*\/history failed/)]);
  });
});
