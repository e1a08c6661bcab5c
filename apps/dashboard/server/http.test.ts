import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type RunningServer, startServer } from '../server.ts';

const TOKEN = 'a token for this test';
const SIGNED_IN = { Authorization: `Bearer ${TOKEN}` };
const KEY = Buffer.alloc(16).toString('base64');
const STATIC_FOLDER = join(import.meta.dirname, '../.next/static');

const folder = mkdtempSync(join(tmpdir(), 'evenkeel-http-'));
const log: string[] = [];
let server: RunningServer;

beforeAll(async () => {
  server = await startServer(
    {
      host: '127.0.0.1',
      port: 0,
      dataDir: folder,
      databaseUrl: null,
      accessToken: TOKEN,
      allowedHosts: [],
      trustedProxies: ['127.0.0.0/8'],
    },
    (level, message, error) => log.push(`${level} ${message} ${error ?? ''}`),
  );
});

afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

/** Sends a request as it is written: an HTTP client would tidy its path. */
async function send(target: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const { host, hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  const lines = Object.entries({ Host: host, Connection: 'close', ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  socket.write([`${method} ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n'), 'latin1');
  const [head = '', ...rest] = (await text(socket)).split('\r\n\r\n');
  const [statusLine = '', ...headerLines] = head.split('\r\n');
  const pairs = headerLines.map((line): [string, string] => {
    const [name = '', ...value] = line.split(': ');
    return [name, value.join(': ')];
  });
  return { status: Number(statusLine.split(' ')[1]), headers: new Headers(pairs), body: rest.join('\r\n\r\n') };
}

/** Whether it is the sign-in page, and not a page of runs. */
const isSignInPage = ({ body }: Answer) => body.includes('Sign in to Evenkeel');

describe('pages without signing in: dot segments are refused in every spelling, with a session and without', () => {
  const NOBODY = '00000000-0000-7000-8000-000000000000';
  test.each([
    '/_next/static/../../',
    '/_next/static/../..',
    '/_next/static/%2e%2e/%2e%2e/',
    '/_next/static/%2E%2e/.%2E/',
    '/_next/static/%252e%252e/%252e%252e/',
    '/_next/static/..%2f..%2f',
    '/_next/static/..%5c..%5c',
    '/_next/static/..\\..\\',
    '/_next/static/%2e%2e%2f%2e%2e%2f',
    `/_next/static/../../runs/${NOBODY}`,
    `/_next/static/../../alerts/${NOBODY}/${NOBODY}`,
    '/_next/static/../../alerts',
    '/_next/static/../../compare',
    '/_next/static/../../projects/lab/rules',
    '/_next/static/../../api/trpc/run.list',
    '/_next/static/../../api/v1/runs',
    '/api/v1/../trpc/run.list',
    '/api/v1/runs/%2e%2e/alerts',
    '/api/v1//runs',
    '/_next/static/chunks/../../../',
    '/_next/static/./../../?wall',
    '/signin/..',
    '/signin/../',
    '/signin/%2e%2e/alerts',
    '/icon.svg/../alerts',
    '/favicon.ico/../alerts',
    '/healthz/../',
    '/api/session/../../alerts',
    '/./',
    '/.',
    '//',
    '//signin',
    '/signin//../',
    '/\\signin',
    '/signin\\..\\',
    '/signin#/../alerts',
    '/signin%00',
    '/signin%0d%0aX-Injected:1',
    '/signin%',
    '/%c0%ae%c0%ae/',
    '/sign\u0001in',
    '/signin\u0000',
    '/sign\tin',
    'http://127.0.0.1/signin',
    'http://127.0.0.1/_next/static/../../',
    'signin',
    '*',
  ])('%j', async (target) => {
    for (const headers of [{}, SIGNED_IN]) expect((await send(target, headers)).status).toBe(400);
  });
});

describe('everything needs a session but what is listed as open', () => {
  test.each([
    ['/', 200],
    ['/?wall', 200],
    ['/?_rsc=1', 200],
    ['/alerts', 200],
    ['/compare', 200],
    ['/projects/lab/rules', 404],
    ['/_not-found', 404],
    ['/nothing-here', 404],
    ['/SIGNIN', 404],
    ['/signin.rsc', 404],
    ['/signin.txt', 404],
    ['/signin/x', 404],
    ['/index', 404],
    ['/signin/', 308],
    ['/icon.svg/', 308],
    ['/runs/', 308],
    ['/_next', 404],
    ['/_next/', 308],
    ['/_next/static', 404],
    ['/_next/STATIC/x.js', 404],
    ['/_next%2fstatic%2fx.js', 404],
    ['/_next/image', 400],
    ['/_next/data/x/index.json', 404],
    ['/_next/hmr', 404],
    ['/__nextjs_original-stack-frame', 404],
    ['/.well-known/security.txt', 404],
    ['/server/app/page.js', 404],
    ['/package.json', 404],
    ['/HEALTHZ', 404],
    ['/healthz/', 308],
    ['/api/session/', 308],
    ['/api', 404],
    ['/api/trpc', 404],
    ['/api/v1', 404],
    ['/api/v1/', 404],
    ['/api/v1/runs', 200],
    ['/api/%761/runs', 200], // the same path
    ['/api/v1/RUNS', 404],
    ['/api/v1/runs/', 404],
    ['/api/v1/openapi.json', 200],
  ])('%s', async (target, signedIn) => {
    const without = await send(target);
    if (target.startsWith('/api/')) expect(without.status).toBe(401);
    else expect([without.status, without.headers.get('location')?.split('?')[0]]).toEqual([303, '/signin']);
    expect((await send(target, SIGNED_IN)).status).toBe(signedIn);
  });

  test.each([
    ['/signin', 200],
    ['/%73ignin', 200], // the same path
    ['/signin?next=/alerts', 200],
    ['/signin?next=/../..//x\\y', 200],
    ['/icon.svg', 200],
    ['/favicon.ico', 308],
    ['/healthz', 200],
    ['/readyz', 200],
    ['/api/session', 400], // a GET is no attempt to sign in
    ['/_next/static/', 404],
    ['/_next/static/none.js', 404],
    ['/%5fnext/static/none.js', 404],
    ['/_next/static/%2e', 400],
    ['/_next/static/chunks', 404],
    ['/_next/static/alerts', 404],
    ['/_next/static/BUILD_ID', 404],
    ['/wandb/lab/p/runs/x', 302],
    ['/wandb/', 404],
  ])('%s is open', async (target, status) => {
    expect((await send(target)).status).toBe(status);
    expect((await send(target, SIGNED_IN)).status).toBe(status);
  });

  test('tRPC without a session is answered by 401, whatever is asked', async () => {
    for (const target of ['/api/trpc/run.list', '/api/trpc/', '/api/trpc/%72un.list'])
      for (const method of ['GET', 'POST']) expect((await send(target, {}, method)).status).toBe(401);
    expect((await send('/api/trpc/project.list', SIGNED_IN)).status).toBe(200);
  });

  test('tRPC’s answers are compressed for who takes that', async () => {
    const target = `/api/trpc/${Array(9).fill('project.list').join()}?batch=1`;
    const encodingFor = async (taken: string) =>
      (await send(target, { ...SIGNED_IN, 'Accept-Encoding': taken })).headers.get('content-encoding');
    expect(await Promise.all(['gzip', 'gzip, br', 'identity'].map(encodingFor))).toEqual(['gzip', 'br', null]);
  });

  test('a path that comes back to the sign-in page keeps where it came from', async () => {
    const { headers } = await send('/alerts?status=open&q=%2e%2e');
    expect(headers.get('location')).toBe(`/signin?next=${encodeURIComponent('/alerts?status=open&q=%2e%2e')}`);
  });
});

describe('no header steers Next.js to another page', () => {
  test.each<Record<string, string>>([
    { 'x-matched-path': '/alerts' },
    { 'x-invoke-path': '/alerts', 'x-invoke-query': '%7B%7D', 'x-invoke-status': '200' },
    { 'x-middleware-rewrite': '/alerts' },
    { 'x-middleware-subrequest': 'middleware:middleware:middleware' },
    { 'x-middleware-prefetch': '1' },
    { 'x-rewrite-url': '/alerts', 'x-original-url': '/alerts' },
    { 'x-forwarded-host': 'elsewhere.example', 'x-forwarded-proto': 'https' },
    { 'x-now-route-matches': '1=alerts', 'x-nextjs-data': '1' },
    { 'next-resume': '1', 'x-next-resume-state-length': '0' },
    { 'next-action': '0'.repeat(40) },
    { 'next-url': '/alerts' },
  ])('%j', async (headers) => {
    const answer = await send('/signin', headers);
    expect([answer.status, isSignInPage(answer)]).toEqual([200, true]);
    expect(answer.headers.get('location')).toBeNull();
    expect(answer.body).not.toContain('elsewhere.example');
    expect((await send('/', headers)).status).toBe(303);
  });

  test('what its router sends gets the sign-in page alone', async () => {
    const tree = encodeURIComponent(JSON.stringify(['', { children: ['alerts', { children: ['__PAGE__', {}] }] }]));
    const router = { rsc: '1', 'next-url': '/alerts', 'next-router-state-tree': tree };
    const { headers } = await send('/signin?_rsc=1', router); // to the hash of these headers
    const answer = await send(headers.get('location') ?? '', router);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/x-component']);
    expect(answer.body).toContain('Sign in');
    expect((await send('/?_rsc=1', router)).status).toBe(303);
  });

  test('a page is only read', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
      expect((await send('/signin', {}, method)).status).toBe(405);
      expect((await send('/', {}, method)).status).toBe(401);
    }
    expect((await send('/signin', {}, 'HEAD')).status).toBe(200);
  });
});

describe('assets', () => {
  const files = readdirSync(STATIC_FOLDER, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `/_next/static${join(parentPath, name).slice(STATIC_FOLDER.length)}`);

  test('all that was built for browsers is served without a session, with its type', async () => {
    expect(new Set(files.map((file) => file.split('.').pop()))).toContain('svg');
    for (const file of files) {
      const { status, headers } = await send(file, {}, 'HEAD');
      expect([file, status, headers.get('cache-control')]).toEqual([file, 200, expect.stringContaining('immutable')]);
      expect(headers.get('content-type')).not.toBe('application/octet-stream');
    }
  });

  test('one is only read, and is compressed for who takes that', async () => {
    const script = files.find((file) => file.endsWith('.js')) ?? '';
    expect((await send(script, {}, 'POST')).status).toBe(405);
    expect((await send(script)).headers.get('content-encoding')).toBeNull();
    expect((await send(script, { 'Accept-Encoding': 'gzip' })).headers.get('content-encoding')).toBe('gzip');
  });
});

describe('the Host of a request', () => {
  test.each([
    ['[0:0:0:0:0:0:0:1]:4870', 200], // no URL parser leaves it as it is
    ['127.0.0.1:99999', 200], // nor makes a URL of this one
    ['LOCALHOST', 200],
    ['rebound.example', 403],
    ['a b', 403],
    ['localhost/x', 403],
    ['', 403],
  ])('%j is judged by the origin guard alone', async (host, status) => {
    const { status: answered, body } = await send('/healthz', { Host: host });
    expect([answered, 'error' in JSON.parse(body)]).toEqual([status, status === 403]);
  });
});

test('a websocket request that is none of socket.io’s gets no answer, and Next.js never sees it', async () => {
  await send('/signin'); // with its first request Next.js listens for websockets, where it knows the server
  const complaints = vi.spyOn(console, 'error');
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY,
  };
  const targets = ['/', '/signin', '/_next/hmr', '*', 'http://127.0.0.1:9/', '//127.0.0.1:9/', '/_next/static/../../'];
  const answers = await Promise.all(targets.map((target) => send(target, headers)));
  expect(answers.map(({ status }) => status)).toEqual(targets.map(() => Number.NaN));
  expect(complaints).not.toHaveBeenCalled();
  complaints.mockRestore();
});

describe('the policy of a page', () => {
  const policyOf = ({ headers }: Answer) => headers.get('content-security-policy') ?? '';
  const nonceOf = (answer: Answer) => /script-src 'self' 'nonce-([^']+)'(;|$)/.exec(policyOf(answer))?.[1];

  test('has a nonce of its own for each request, which every script of the page carries', async () => {
    const [one, two] = [await send('/signin'), await send('/signin')];
    expect(nonceOf(one)).not.toBe(nonceOf(two));
    const scripts = one.body.match(/<script\b[^>]*>/g) ?? [];
    expect(scripts.length).toBeGreaterThan(3);
    for (const script of scripts) expect(script).toContain(`nonce="${nonceOf(one)}"`);
    expect(policyOf(one)).not.toContain('unsafe-eval');
    expect(policyOf(one).match(/unsafe-inline/g)).toHaveLength(1); // of styles
  });

  test.each([
    ['content-security-policy', "script-src 'nonce-chosen'"],
    ['content-security-policy-report-only', "script-src 'nonce-chosen'"],
    ['x-nonce', 'chosen'],
  ])('takes no nonce from a client by %s', async (name, value) => {
    expect((await send('/signin', { [name]: value })).body).not.toContain('chosen');
  });

  test('connects to the page’s own websocket alone', async () => {
    const { host, port } = new URL(server.url);
    const connectsTo = (answer: Answer) => /connect-src ([^;]*)/.exec(policyOf(answer))?.[1];
    expect(connectsTo(await send('/signin'))).toBe(`'self' ws://${host} wss://${host}`);
    expect(connectsTo(await send('/signin', { Host: `[::1]:${port}` }))).toBe("'self'");
  });

  test('what is no page may load nothing', async () => {
    for (const target of ['/healthz', '/api/session', '/_next/static/none.js', '/..', '/alerts'])
      expect(policyOf(await send(target))).toContain("default-src 'none'");
  });
});

describe('signing in behind a proxy', () => {
  const signIn = async (token: string, client: string) => {
    const headers = { 'Content-Type': 'application/json', 'X-Forwarded-For': client };
    const response = await fetch(`${server.url}/api/session`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ token }),
    });
    return response.status;
  };

  test('wrong tokens of one client lock out neither the others nor who has the right one', async () => {
    // at the turn of a minute counting begins again
    await vi.waitFor(async () => expect(await signIn('guess', '203.0.113.9')).toBe(429), {
      timeout: 60_000,
      interval: 1,
    });
    expect(await signIn('guess', '203.0.113.10')).toBe(401);
    expect(await signIn(TOKEN, '203.0.113.9')).toBe(204);
    expect((await send('/', { ...SIGNED_IN, 'X-Forwarded-For': '203.0.113.9' })).status).toBe(200);
  });

  test('what is no address of a proxy is refused by its field', async () => {
    const settings = { host: '127.0.0.1', port: 0, dataDir: folder, databaseUrl: null, accessToken: null };
    const wrong = { ...settings, allowedHosts: [], trustedProxies: ['10.0.0.1', 'proxy.example'] };
    await expect(startServer(wrong, () => {})).rejects.toMatchObject({ field: 'trustedProxies[1]' });
  });
});

test('none of this has failed in the server', () => {
  expect(log.filter((line) => line.startsWith('error'))).toEqual([]);
});
