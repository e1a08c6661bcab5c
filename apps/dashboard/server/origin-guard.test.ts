import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { isLoopback, OriginGuard } from './origin-guard.ts';

const originGuard = new OriginGuard(['Dash.Example', '0.0.0.0']);

function problem(headers: { host?: string; origin?: string }): string | null {
  const request = new IncomingMessage(new Socket());
  Object.assign(request.headers, headers);
  return originGuard.problem(request);
}

test.each(['localhost', 'LOCALHOST:4870', '127.0.0.1:80', '[::1]:4870', 'dash.example', 'DASH.example:443'])(
  'a request to %s passes',
  (host) => expect(problem({ host })).toBeNull(),
);

test.each(['10.0.0.7:4870', '[fe80::1]', '203.0.113.9'])('%s is an address, which no page can rename', (host) =>
  expect(problem({ host })).toBeNull(),
);

test.each(['rebound.example', 'localhost.rebound.example', 'dash.example.', '1.2.3', '[cafe', '127.0.0.1.nip.io'])(
  'a request to %s is refused',
  (host) => expect(problem({ host })).not.toBeNull(),
);

test.each([undefined, '', 'a b', 'localhost/x', 'me@localhost', 'localhost;script-src *', 'localhost:port', ':80'])(
  'a Host of %j names no host',
  (host) => expect(problem({ host })).toBe('The request names no host.'),
);

test.each([
  ['http://localhost:4870', true],
  ['https://localhost:4870', true], // of a proxy that speaks TLS
  ['HTTP://LOCALHOST:4870', true],
  ['http://localhost', false],
  ['http://localhost:4871', false],
  ['http://127.0.0.1:4870', false],
  ['http://elsewhere.example', false],
  ['http://localhost:4870.elsewhere.example', false],
  ['null', false],
  ['', false],
])('of a page of %s: %s', (origin, passes) => {
  expect(problem({ host: 'localhost:4870', origin })).toBe(
    passes ? null : 'This request comes from a page of another site.',
  );
});

test.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['127.example', false],
  ['192.168.0.1', false],
])('%s is of this machine alone: %s', (host, loopback) => expect(isLoopback(host)).toBe(loopback));
