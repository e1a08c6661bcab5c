import { once } from 'node:events';
import { createServer, get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { developmentPages, forwardUpgrades, withDevelopmentFiles } from './development.ts';
import { OriginGuard } from './origin-guard.ts';
import { type Pages, servePage } from './pages.ts';
import { serverSettings } from './settings.ts';

/** A server as in development, over a Next.js that names the path and the policy that it was given. */
async function listen() {
  const next: Pages = async (request, response) => {
    response.setHeader('x-policy-read', String(request.headers['content-security-policy']));
    response.end(`next ${request.url}`);
  };
  const pages = developmentPages(next);
  const originGuard = new OriginGuard([]);
  const upgrades = createServer();
  const http = createServer(
    withDevelopmentFiles((request, response) => void servePage(pages, request, response), next, originGuard),
  );
  const closeUpgrades = forwardUpgrades(http, upgrades, originGuard);
  await once(http.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    http.closeAllConnections();
    http.close();
  });
  return { port: (http.address() as AddressInfo).port, upgrades, http, closeUpgrades };
}

async function read(port: number, path: string): Promise<{ headers: IncomingHttpHeaders; body: string }> {
  const [response] = (await once(get({ port, path, host: '127.0.0.1' }), 'response')) as [IncomingMessage];
  return { headers: response.headers, body: (await response.toArray()).join('') };
}

test('a page in development may make functions of text, and Next.js reads the policy that the browser gets', async () => {
  const { port } = await listen();
  const { headers } = await read(port, '/runs/1');
  expect(headers['content-security-policy']).toMatch(/script-src 'self' 'unsafe-eval' 'nonce-[^']+';/);
  expect(headers['x-policy-read']).toBe(headers['content-security-policy']);
});

test.each(['/_next/static/chunks/a.js', '/__nextjs_original-stack-frames'])('%s is left to Next.js', async (path) => {
  const { port } = await listen();
  const { headers, body } = await read(port, path);
  expect(body).toBe(`next ${path}`);
  expect(headers['content-security-policy']).toBeUndefined();
});

test('the websocket of changes reaches Next.js, and neither another one nor one of another site does', async () => {
  const { port, upgrades } = await listen();
  const seen: unknown[] = [];
  upgrades.on('upgrade', ({ url }: IncomingMessage, socket) => {
    seen.push(url);
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  const upgrade = (path: string, headers = {}) =>
    get({ port, path, host: '127.0.0.1', headers: { Connection: 'Upgrade', Upgrade: 'websocket', ...headers } }).on(
      'error',
      () => {},
    );
  upgrade('/socket.io/');
  upgrade('/_next/hmr?id=0', { Origin: 'http://elsewhere.example' });
  await once(upgrade('/_next/hmr?id=1'), 'upgrade');
  expect(seen).toEqual(['/_next/hmr?id=1']);
});

test('pages in development are served to this machine only', () => {
  const settings = {
    port: 0,
    dataDir: 'data',
    databaseUrl: null,
    accessToken: 'a token for this test',
    allowedHosts: [],
    dev: true,
  };
  expect(serverSettings.safeParse({ ...settings, host: '127.0.0.1' }).success).toBe(true);
  expect(serverSettings.safeParse({ ...settings, host: '0.0.0.0' }).error?.issues[0]?.path).toEqual(['dev']);
});

test('a server is closed while browsers wait for changes', async () => {
  const { port, upgrades, http, closeUpgrades } = await listen();
  const upgraded = once(upgrades, 'upgrade');
  const waiting = get({
    ...{ port, path: '/_next/hmr', host: '127.0.0.1' },
    headers: { Connection: 'Upgrade', Upgrade: 'websocket' },
  });
  waiting.on('error', () => {});
  await upgraded;
  const closed = once(http, 'close');
  http.close();
  closeUpgrades();
  await closed;
});
