import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { ClientAddresses, readRange } from './client-address.ts';

function clientOf(trusted: string[], remote: string, forwarded?: string): string {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: remote });
  const request = new IncomingMessage(socket);
  if (forwarded !== undefined) request.headers['x-forwarded-for'] = forwarded;
  return new ClientAddresses(trusted).of(request);
}

test('without a trusted proxy what a client writes of itself is not believed', () => {
  expect(clientOf([], '10.0.0.1', '203.0.113.9')).toBe('10.0.0.1');
  expect(clientOf(['10.0.0.2'], '10.0.0.1', '203.0.113.9')).toBe('10.0.0.1');
});

test.each([
  ['203.0.113.9', '203.0.113.9'],
  ['198.51.100.1, 203.0.113.9', '203.0.113.9'], // the first is the client's own word
  ['198.51.100.1, 203.0.113.9, 10.9.9.9,10.0.0.7', '203.0.113.9'], // by way of two more proxies
  ['203.0.113.9:51234', '203.0.113.9'],
  ['[2001:db8::1]:51234', '2001:db8::1'],
  ['2001:db8::1', '2001:db8::1'],
  ['::ffff:203.0.113.9', '203.0.113.9'],
  ['10.0.0.7', '10.0.0.7'], // the proxy itself asks
  ['203.0.113.9, unknown', '10.0.0.1'],
  ['', '10.0.0.1'],
  [undefined, '10.0.0.1'],
])('behind a trusted proxy the client of %j is %s', (forwarded, client) => {
  expect(clientOf(['10.0.0.0/8'], '10.0.0.1', forwarded)).toBe(client);
});

test('a proxy that connects over IPv6 is known by its IPv4 address, and by its own', () => {
  expect(clientOf(['10.0.0.1'], '::ffff:10.0.0.1', '203.0.113.9')).toBe('203.0.113.9');
  expect(clientOf(['fd00::/8'], 'fd00::1', '203.0.113.9')).toBe('203.0.113.9');
});

test.each(['10.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8', '0.0.0.0/0'])('%s is an address or a range', (text) =>
  expect(readRange(text)).not.toBeNull(),
);

test.each(['', 'proxy.example', '10.0.0.0/33', '::/129', '10.0.0.1/', '10.0.0.1/8/8', '10.0.0/8', '10.0.0.1/-1'])(
  '%j is neither',
  (text) => expect(readRange(text)).toBeNull(),
);
